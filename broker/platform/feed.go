package platform

import (
	"context"
	"encoding/json"
	"time"

	"sampan/broker/alink"
	"sampan/broker/gateway"
)

// serverPrefix is in front of the topics on which servers are told what devices do, beside the status
// notifications; devices may not subscribe to it. A stream of the API leaves it away: on the platform they are
// called /{productKey}/{deviceName}/thing/... . (platform: facts, section 5)
const serverPrefix = "/as"

// feed tells servers of something about a device, on a topic below /{productKey}/{deviceName}/thing/. Nothing
// is made of it if nobody listens.
func (p *Platform) feed(productKey, deviceName, path string, content func() any) {
	topic := serverPrefix + "/" + productKey + "/" + deviceName + "/thing/" + path
	if !p.broker.HasSubscribers(topic) {
		return
	}
	// At QoS 0 this waits for nobody.
	p.broker.Publish(context.Background(), topic, compact(content()), 0)
}

// about is what every such message says first.
type about struct {
	IotID      string `json:"iotId"`
	ProductKey string `json:"productKey"`
	DeviceName string `json:"deviceName"`
	GmtCreate  int64  `json:"gmtCreate"` // milliseconds since 1970
}

func (p *Platform) about(productKey, deviceName string, at time.Time) about {
	a := about{ProductKey: productKey, DeviceName: deviceName, GmtCreate: at.UnixMilli()}
	if d, err := p.registry.Device(productKey, deviceName); err == nil {
		a.IotID = d.IotID()
	}
	return a
}

// stamped is a value with its time, in milliseconds since 1970.
type stamped struct {
	Value json.RawMessage `json:"value"`
	Time  int64           `json:"time"`
}

// stamp is a value as it was posted: bare, or with its time.
func stamp(raw json.RawMessage, now time.Time) stamped {
	var s struct {
		Value json.RawMessage `json:"value"`
		Time  *int64          `json:"time"`
	}
	if json.Unmarshal(raw, &s) == nil && s.Value != nil {
		out := stamped{s.Value, now.UnixMilli()}
		if s.Time != nil {
			out.Time = *s.Time
		}
		return out
	}
	return stamped{raw, now.UnixMilli()}
}

// posted tells servers what a device has posted.
func (p *Platform) posted(e alink.Event) {
	switch e.Kind {
	case alink.PropertyPost:
		p.feed(e.ProductKey, e.DeviceName, "event/property/post", func() any {
			var params map[string]json.RawMessage
			json.Unmarshal(e.Params, &params) // it was, before
			items := make(map[string]stamped, len(params))
			for name, raw := range params {
				items[name] = stamp(raw, e.Time)
			}
			return struct {
				about
				DeviceType string             `json:"deviceType"`
				Items      map[string]stamped `json:"items"`
			}{p.about(e.ProductKey, e.DeviceName, e.Time), "None", items}
		})
	case alink.EventPost:
		p.feed(e.ProductKey, e.DeviceName, "event/"+e.Name+"/post", func() any {
			return struct {
				about
				Identifier string `json:"identifier"`
				stamped
			}{p.about(e.ProductKey, e.DeviceName, e.Time), e.Name, stamp(e.Params, e.Time)}
		})
	case alink.RawUp:
		topic := serverPrefix + "/" + e.ProductKey + "/" + e.DeviceName + "/thing/model/up_raw"
		p.broker.Publish(context.Background(), topic, e.Raw, 0)
	}
}

// answered tells servers what a device has answered to a request that was not waited for.
func (p *Platform) answered(productKey, deviceName, path string, a alink.Answer) {
	p.feed(productKey, deviceName, "downlink/reply/message", func() any {
		return struct {
			about
			RequestID string          `json:"requestId"`
			Code      int             `json:"code"`
			Message   string          `json:"message"`
			Topic     string          `json:"topic"`
			Data      json.RawMessage `json:"data,omitempty"`
		}{p.about(productKey, deviceName, p.opts.Clock.Now()), a.ID, int(a.Code), a.Message, "/sys/" + productKey + "/" + deviceName + "/thing/" + path + "_reply", a.Data}
	})
}

// lived tells servers that a device was made, deleted, enabled or disabled.
func (p *Platform) lived(productKey, deviceName, iotID, action string) {
	p.feed(productKey, deviceName, "lifecycle", func() any {
		return struct {
			Action            string `json:"action"`
			IotID             string `json:"iotId"`
			ProductKey        string `json:"productKey"`
			DeviceName        string `json:"deviceName"`
			MessageCreateTime int64  `json:"messageCreateTime"`
		}{action, iotID, productKey, deviceName, p.opts.Clock.Now().UnixMilli()}
	})
}

// subDevicesNoted tells servers of a gateway's sub-devices: those that it has found, and changes of its topology.
func (p *Platform) subDevicesNoted(n gateway.Notice) {
	g := n.Gateway
	type content struct {
		Action            gateway.Action       `json:"action,omitempty"`
		GwIotID           string               `json:"gwIotId"`
		GwProductKey      string               `json:"gwProductKey"`
		GwDeviceName      string               `json:"gwDeviceName"`
		Devices           []gateway.Identified `json:"devices"`
		MessageCreateTime int64                `json:"messageCreateTime,omitempty"`
	}
	path, c := "list/found", content{GwProductKey: g.ProductKey, GwDeviceName: g.DeviceName, Devices: n.Devices}
	if n.Action != gateway.Found {
		path, c.Action, c.MessageCreateTime = "topo/lifecycle", n.Action, p.opts.Clock.Now().UnixMilli()
	}
	p.feed(g.ProductKey, g.DeviceName, path, func() any {
		if d, err := p.registry.Device(g.ProductKey, g.DeviceName); err == nil {
			c.GwIotID = d.IotID()
		}
		return c
	})
}
