package platform

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"sync"
	"time"

	"sampan/broker/credential"
	"sampan/broker/device"
)

// directory is the registry as the verifier of credentials asks for it.
type directory struct{ p *Platform }

func (d directory) find(productKey, deviceName []byte) (dev device.Device, s credential.Standing) {
	dev, err := d.p.registry.Lookup(productKey, deviceName)
	switch {
	case err == nil && dev.Status() == device.Disabled:
		return dev, credential.Disabled
	case err == nil:
		return dev, credential.Enabled
	case errors.Is(err, device.ErrNoProduct):
		return dev, credential.NoProduct
	case errors.Is(err, device.ErrNoDevice):
		return dev, credential.NoDevice
	}
	return dev, credential.Failed
}

// DeviceSecret is part of credential.Directory.
func (d directory) DeviceSecret(productKey, deviceName []byte) ([]byte, credential.Standing) {
	dev, s := d.find(productKey, deviceName)
	if s > credential.Disabled {
		return nil, s
	}
	return dev.Secret(), s
}

// ProductSecret is part of credential.Directory.
func (d directory) ProductSecret(productKey []byte) ([]byte, credential.Standing) {
	p, err := d.p.registry.LookupProduct(productKey)
	if errors.Is(err, device.ErrNoProduct) {
		return nil, credential.NoProduct
	}
	if err != nil {
		return nil, credential.Failed
	}
	return []byte(p.Secret), credential.Enabled
}

// DeviceToken is part of credential.Directory.
func (d directory) DeviceToken(productKey, deviceName, clientID []byte) ([]byte, credential.Standing) {
	dev, s := d.find(productKey, deviceName)
	if s > credential.Disabled {
		return nil, s
	}
	return dev.Token(clientID), s
}

// Ticket is part of credential.Directory.
func (d directory) Ticket(iotID []byte) (productKey, deviceName, token []byte, s credential.Standing) {
	t, ok := d.p.tickets.find(string(iotID), d.p.opts.Clock.Now())
	if !ok {
		return nil, nil, nil, credential.NoTicket
	}
	productKey, deviceName = []byte(t.productKey), []byte(t.deviceName)
	_, s = d.find(productKey, deviceName)
	return productKey, deviceName, []byte(t.token), s
}

// tickets are the tokens given out by the HTTPS authentication of 2018, each valid for seven days.
type tickets struct {
	mu    sync.Mutex
	byID  map[string]ticket
	order []string // ids, oldest first
}

type ticket struct {
	productKey, deviceName, token string
	until                         time.Time
}

const (
	ticketLife = 7 * 24 * time.Hour
	maxTickets = 1_000_000
)

// issue gives the device a ticket under its iotId. A second one replaces the first.
func (t *tickets) issue(iotID, productKey, deviceName string, now time.Time) (token string) {
	var random [16]byte
	rand.Read(random[:])
	token = hex.EncodeToString(random[:])
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byID == nil {
		t.byID = make(map[string]ticket)
	}
	for len(t.order) > 0 {
		old, ok := t.byID[t.order[0]]
		if ok && len(t.order) < maxTickets && now.Before(old.until) {
			break
		}
		delete(t.byID, t.order[0])
		t.order = t.order[1:]
	}
	if _, again := t.byID[iotID]; !again {
		t.order = append(t.order, iotID)
	}
	t.byID[iotID] = ticket{productKey, deviceName, token, now.Add(ticketLife)}
	return token
}

func (t *tickets) find(iotID string, now time.Time) (ticket, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found, ok := t.byID[iotID]
	return found, ok && now.Before(found.until)
}
