package platform

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"time"

	"sampan/broker/ledger"
)

// ticket is the token that the HTTPS authentication of 2018 has given to a device, in the ledger under the
// device's IotId. There is one of each device: a second one replaces the first.
type ticket struct {
	Token string `json:"token"`
	Until int64  `json:"until"` // milliseconds since 1970
}

// ticketLife is how long a ticket is valid. (platform: facts, section 1.6)
const ticketLife = 7 * 24 * time.Hour

// issueTicket gives a device a ticket, and returns when that holds.
func (p *Platform) issueTicket(iotID string) (token string, err error) {
	var random [16]byte
	rand.Read(random[:])
	token = hex.EncodeToString(random[:])
	record, err := json.Marshal(ticket{token, p.opts.Clock.Now().Add(ticketLife).UnixMilli()})
	if err == nil {
		err = p.ledger.Put(ledger.Tickets, ledger.Record{Key: iotID, Value: record})
	}
	if err == nil {
		err = p.ledger.Wait()
	}
	return token, err
}

// ticket returns a device's ticket if it has one that is still valid.
func (p *Platform) ticket(iotID string) (t ticket, ok bool, err error) {
	record, ok, err := p.ledger.Get(ledger.Tickets, iotID, nil)
	if err != nil || !ok {
		return t, false, err
	}
	if err := json.Unmarshal(record, &t); err != nil {
		return t, false, err
	}
	if p.opts.Clock.Now().UnixMilli() >= t.Until {
		return t, false, p.ledger.Delete(ledger.Tickets, iotID)
	}
	return t, true, nil
}

// forgetTicket gives up the ticket of a device that was deleted.
func (p *Platform) forgetTicket(iotID string) {
	if err := p.ledger.Delete(ledger.Tickets, iotID); err != nil {
		p.opts.Logger.Error("the ticket of a deleted device is still there", "iotId", iotID, "error", err)
	}
}

// recover takes over what the ledger has, and gives up what a crash has left there of devices and products
// that were deleted, and tickets that are not valid any more.
func (p *Platform) recover() error {
	known := func(iotID string) bool { _, err := p.registry.ByIotID(iotID); return err == nil }
	for _, k := range []ledger.Kind{ledger.Properties, ledger.NewerProperties, ledger.Desired, ledger.Shadow, ledger.Versions, ledger.Upgrades, ledger.Tickets} {
		if _, err := p.ledger.Sweep(k, known); err != nil {
			return err
		}
	}
	if _, err := p.ledger.Sweep(ledger.Configs, func(key string) bool { _, err := p.registry.Product(key); return err == nil }); err != nil {
		return err
	}
	var over []string
	now := p.opts.Clock.Now().UnixMilli()
	err := p.ledger.All(ledger.Tickets, func(key string, value []byte) error {
		var t ticket
		if json.Unmarshal(value, &t) != nil || now >= t.Until {
			over = append(over, key)
		}
		return nil
	})
	if err == nil {
		err = p.ledger.Delete(ledger.Tickets, over...)
	}
	if err != nil {
		return err
	}
	return p.gateways.Recover()
}
