package platform

import (
	"context"
	"strings"
	"time"

	"sampan/broker"
	"sampan/broker/gateway"
	"sampan/broker/internal/notation"
)

// StatusTopic is where a device's coming and going is announced, to subscribers within the process; devices
// may not subscribe to it. (platform: facts, section 5)
func StatusTopic(productKey, deviceName string) string {
	return "/as/mqtt/status/" + productKey + "/" + deviceName
}

// Status is the announcement. Times are those of the platform: UTC+8 and UTC, in milliseconds.
type Status struct {
	Status      string `json:"status"` // "online" or "offline"
	ProductKey  string `json:"productKey"`
	DeviceName  string `json:"deviceName"`
	Time        string `json:"time"`
	UTCTime     string `json:"utcTime"`
	LastTime    string `json:"lastTime"` // of the last packet; the order of announcements is by it
	UTCLastTime string `json:"utcLastTime"`
	ClientIP    string `json:"clientIp"`
}

// deviceOf is the device whose session a key names. Others, such as those of registrations, have none.
func deviceOf(key string) (productKey, deviceName string, ok bool) {
	productKey, deviceName, ok = strings.Cut(key, "/")
	return productKey, deviceName, ok && !strings.Contains(deviceName, "/")
}

// announce publishes a device's status.
func (p *Platform) announce(e broker.Event, productKey, deviceName string) {
	if e.Kind != broker.Connected && e.Kind != broker.Disconnected {
		return
	}
	if _, through := p.gateways.Through(productKey, deviceName); through && e.Kind == broker.Disconnected {
		return // it is reached through its gateway now
	}
	p.publishStatus(productKey, deviceName, e.Kind == broker.Connected, e.Time, e.Time.Add(-e.Idle), notation.Host(e.Addr))
}

// subDeviceChanged announces the status of a sub-device, which comes and goes by what its gateway says.
func (p *Platform) subDeviceChanged(productKey, deviceName string, through gateway.Name, online bool) {
	now, host := p.opts.Clock.Now(), ""
	if i, ok := p.broker.Client(Key(through.ProductKey, through.DeviceName)); ok {
		host = notation.Host(i.Addr)
	}
	p.publishStatus(productKey, deviceName, online, now, now, host)
}

func (p *Platform) publishStatus(productKey, deviceName string, online bool, now, last time.Time, host string) {
	s := Status{
		Status: "offline", ProductKey: productKey, DeviceName: deviceName,
		Time: notation.LocalMillis(now), UTCTime: notation.UTC(now),
		LastTime: notation.LocalMillis(last), UTCLastTime: notation.UTC(last),
		ClientIP: host,
	}
	if online {
		s.Status = "online"
	}
	// At QoS 0 this waits for nobody. After Shutdown has begun there is nobody to tell.
	p.broker.Publish(context.Background(), StatusTopic(productKey, deviceName), compact(s), 0)
}
