package control

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"sampan/broker/device"
)

// Device is a device in results.
type Device struct {
	ProductKey   string            `json:"productKey"`
	DeviceName   string            `json:"deviceName"`
	DeviceSecret string            `json:"deviceSecret"`
	IotID        string            `json:"iotId"`
	Nickname     string            `json:"nickname,omitempty"`
	Status       string            `json:"status"`
	Tags         map[string]string `json:"tags,omitempty"`
	Created      time.Time         `json:"created"`
	Activated    *time.Time        `json:"activated,omitempty"`
	Certificate  string            `json:"certificate,omitempty"` // fingerprint of the one that is bound to it
	Connection   *Connection       `json:"connection,omitempty"`  // of a device that is connected now
	Session      *Session          `json:"session,omitempty"`     // of a device for which the broker keeps one
}

// Connection is a device's connection.
type Connection struct {
	Address      string `json:"address"`
	ClientID     string `json:"clientId"`
	Protocol     string `json:"protocol"`
	KeepAlive    string `json:"keepAlive"`
	LastPacketMS int64  `json:"lastPacketMs"` // milliseconds since the last packet from it
}

// Session is what the broker keeps for a device.
type Session struct {
	Persistent    bool  `json:"persistent"`
	Subscriptions int   `json:"subscriptions"`
	Queued        int   `json:"queued"` // QoS 1 messages that wait
	QueuedBytes   int64 `json:"queuedBytes"`
	InFlight      int   `json:"inFlight"` // of them, sent and not acknowledged
}

func deviceOf(b *Backend, d *device.Device) Device {
	info := d.Info()
	result := Device{
		ProductKey: info.ProductKey, DeviceName: info.DeviceName, DeviceSecret: info.DeviceSecret, IotID: info.IotID,
		Nickname: info.Nickname, Status: info.Status.String(), Created: info.Created.UTC(), Activated: moment(info.Activated),
		Certificate: info.Certificate,
	}
	for _, tag := range info.Tags {
		if result.Tags == nil {
			result.Tags = map[string]string{}
		}
		result.Tags[tag.Key] = tag.Value
	}
	if b.Live == nil {
		return result
	}
	client, found := b.Live.Broker.Client(b.Live.Platform.SessionKey(info.ProductKey, info.DeviceName))
	if !found {
		return result
	}
	result.Session = &Session{
		Persistent: client.Persistent, Subscriptions: client.Subscriptions,
		Queued: client.QueuedCount, QueuedBytes: client.QueuedBytes, InFlight: client.InFlight,
	}
	if client.Connected {
		result.Connection = &Connection{
			Address: client.Addr, ClientID: client.ClientID, Protocol: "3.1.1",
			KeepAlive: client.KeepAlive.String(), LastPacketMS: client.LastPacket.Milliseconds(),
		}
		if client.Level == 3 {
			result.Connection.Protocol = "3.1"
		}
	}
	return result
}

// NewDevices are devices to make.
type NewDevices struct {
	ProductKey string   `json:"productKey"`
	Names      []string `json:"names"`    // of the devices; none: Count devices with generated names
	Count      int      `json:"count"`    // without Names
	Secret     string   `json:"secret"`   // of the only device; empty: generated
	Nickname   string   `json:"nickname"` // of the only device
}

// mostDevices bounds one call; more are made by import.
const mostDevices = 10_000

// named are the names of the devices, empty ones where they are generated.
func (n *NewDevices) named() ([]string, error) {
	names := n.Names
	if len(names) == 0 {
		names = make([]string, max(0, min(n.Count, mostDevices+1)))
	}
	switch {
	case len(names) == 0:
		return nil, fmt.Errorf("no device to make")
	case len(names) > mostDevices:
		return nil, fmt.Errorf("more than %d devices at once; import them instead", mostDevices)
	case len(names) > 1 && (n.Secret != "" || n.Nickname != ""):
		return nil, fmt.Errorf("a secret and a nickname are for one device")
	}
	return names, nil
}

var deviceCreate = define("device.create", func(_ context.Context, b *Backend, n NewDevices) ([]Device, error) {
	names, err := n.named()
	if err != nil {
		return nil, err
	}
	specs := make([]device.DeviceSpec, len(names))
	for i, name := range names {
		specs[i] = device.DeviceSpec{Name: name, Secret: n.Secret, Nickname: n.Nickname}
	}
	made, err := b.Registry.CreateDevices(n.ProductKey, specs)
	if err != nil {
		return nil, err
	}
	list := make([]Device, len(made))
	for i := range made {
		list[i] = deviceOf(b, &made[i])
	}
	return list, nil
})

// CreateDevices makes all of the devices, or none.
func CreateDevices(ctx context.Context, c Caller, n NewDevices) ([]Device, error) {
	return deviceCreate.on(ctx, c, n)
}

// page is a part of a product's devices.
type page struct {
	ProductKey string `json:"productKey"`
	From       uint32 `json:"from"`
}

type pageOf struct {
	Devices []Device `json:"devices"`
	Next    uint32   `json:"next"` // where the next page begins; 0: this was the last one
}

// pageSize is the number of devices in one answer.
const pageSize = 1000

var deviceList = define("device.list", func(_ context.Context, b *Backend, p page) (pageOf, error) {
	if _, err := b.Registry.Product(p.ProductKey); err != nil {
		return pageOf{}, fmt.Errorf("%s: %w", p.ProductKey, err)
	}
	result := pageOf{Devices: []Device{}}
	for d := range b.Registry.Devices(p.ProductKey, p.From) {
		if len(result.Devices) == pageSize {
			result.Next = d.Number()
			break
		}
		result.Devices = append(result.Devices, deviceOf(b, &d))
	}
	return result, nil
})

// ListDevices calls f for each device of a product, in the order in which they were made.
func ListDevices(ctx context.Context, c Caller, productKey string, f func(Device) error) error {
	for from := uint32(0); ; {
		p, err := deviceList.on(ctx, c, page{productKey, from})
		if err != nil {
			return err
		}
		for _, d := range p.Devices {
			if err := f(d); err != nil {
				return err
			}
		}
		if from = p.Next; from == 0 {
			return nil
		}
	}
}

// DeviceName names a device.
type DeviceName struct {
	ProductKey string `json:"productKey"`
	DeviceName string `json:"deviceName"`
}

func (n DeviceName) String() string { return n.ProductKey + "/" + n.DeviceName }

var deviceShow = define("device.show", func(_ context.Context, b *Backend, n DeviceName) (Device, error) {
	d, err := b.Registry.Device(n.ProductKey, n.DeviceName)
	if err != nil {
		return Device{}, fmt.Errorf("%s: %w", n, err)
	}
	return deviceOf(b, &d), nil
})

// ShowDevice describes a device.
func ShowDevice(ctx context.Context, c Caller, n DeviceName) (Device, error) {
	return deviceShow.on(ctx, c, n)
}

// change makes an operation of a registry's method that changes one device.
func change(name string, do func(r *device.Registry, productKey, deviceName string) (device.Device, error)) operation[DeviceName, Device] {
	return define(name, func(_ context.Context, b *Backend, n DeviceName) (Device, error) {
		d, err := do(b.Registry, n.ProductKey, n.DeviceName)
		if err != nil {
			return Device{}, fmt.Errorf("%s: %w", n, err)
		}
		return deviceOf(b, &d), nil
	})
}

var (
	deviceEnable  = change("device.enable", (*device.Registry).Enable)
	deviceDisable = change("device.disable", (*device.Registry).Disable)
	deviceReset   = change("device.reset", (*device.Registry).Reset)
)

// EnableDevice lets a device log in again.
func EnableDevice(ctx context.Context, c Caller, n DeviceName) (Device, error) {
	return deviceEnable.on(ctx, c, n)
}

// DisableDevice keeps a device from logging in and cuts its connection.
func DisableDevice(ctx context.Context, c Caller, n DeviceName) (Device, error) {
	return deviceDisable.on(ctx, c, n)
}

// ResetDevice makes a device as if it had never logged in.
func ResetDevice(ctx context.Context, c Caller, n DeviceName) (Device, error) {
	return deviceReset.on(ctx, c, n)
}

// DeviceCertificate is a device and a certificate to bind to it.
type DeviceCertificate struct {
	DeviceName
	Fingerprint string `json:"fingerprint"` // SHA-256 of the certificate in hexadecimal; empty: take the bound one away
}

var deviceCertificate = define("device.certificate", func(_ context.Context, b *Backend, n DeviceCertificate) (Device, error) {
	d, err := bind(b.Registry, n)
	if err != nil {
		return Device{}, fmt.Errorf("%s: %w", n.DeviceName, err)
	}
	return deviceOf(b, &d), nil
})

func bind(r *device.Registry, n DeviceCertificate) (device.Device, error) {
	if n.Fingerprint == "" {
		return r.UnbindCertificate(n.ProductKey, n.DeviceName.DeviceName)
	}
	sum, err := fingerprint(n.Fingerprint)
	if err != nil {
		return device.Device{}, err
	}
	return r.BindCertificate(n.ProductKey, n.DeviceName.DeviceName, sum)
}

// fingerprint reads a SHA-256 in hexadecimal.
func fingerprint(text string) (f device.Fingerprint, err error) {
	sum, err := hex.DecodeString(text)
	if err != nil || len(sum) != len(f) {
		return f, fmt.Errorf("%q is not a SHA-256 in hexadecimal", text)
	}
	return device.Fingerprint(sum), nil
}

// BindCertificate makes a certificate the only one that a device may use, or takes it away.
func BindCertificate(ctx context.Context, c Caller, n DeviceCertificate) (Device, error) {
	return deviceCertificate.on(ctx, c, n)
}

var deviceDelete = define("device.delete", func(_ context.Context, b *Backend, n DeviceName) (nothing, error) {
	if err := b.Registry.Delete(n.ProductKey, n.DeviceName); err != nil {
		return nothing{}, fmt.Errorf("%s: %w", n, err)
	}
	return nothing{}, nil
})

// DeleteDevice deletes a device and cuts its connection.
func DeleteDevice(ctx context.Context, c Caller, n DeviceName) error {
	_, err := deviceDelete.on(ctx, c, n)
	return err
}
