package platform

import (
	"context"
	"net"
	"strings"
	"time"

	"sampan/broker"
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

var beijing = time.FixedZone("UTC+8", 8*60*60)

const (
	localTime = "2006-01-02 15:04:05.000"
	utcTime   = "2006-01-02T15:04:05.000Z"
)

// announce publishes a device's status.
func (p *Platform) announce(e broker.Event) {
	if e.Kind != broker.Connected && e.Kind != broker.Disconnected || p.broker == nil {
		return
	}
	pk, dn, ok := strings.Cut(e.Client, "/")
	if !ok || strings.Contains(dn, "/") {
		return // not a device: a registration
	}
	last := e.Time.Add(-e.Idle)
	s := Status{
		Status: "online", ProductKey: pk, DeviceName: dn,
		Time: e.Time.In(beijing).Format(localTime), UTCTime: e.Time.UTC().Format(utcTime),
		LastTime: last.In(beijing).Format(localTime), UTCLastTime: last.UTC().Format(utcTime),
		ClientIP: e.Addr,
	}
	if e.Kind == broker.Disconnected {
		s.Status = "offline"
	}
	if host, _, err := net.SplitHostPort(e.Addr); err == nil {
		s.ClientIP = host
	}
	// At QoS 0 this waits for nobody. After Shutdown has begun there is nobody to tell.
	p.broker.Publish(context.Background(), StatusTopic(pk, dn), compact(s), 0)
}
