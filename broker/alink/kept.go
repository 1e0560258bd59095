package alink

import (
	"errors"
	"log/slog"

	"sampan/broker/alink/envelope"
	"sampan/broker/device"
	"sampan/broker/ledger"
)

// kept is what is kept of devices, each kind by itself: what changes often does not make the rest be written
// again. The keys are IotIds, so that a device which is deleted and made again begins anew.
type kept struct {
	ledger     *ledger.Ledger
	properties shelf[latest]
	desired    shelf[map[string]Desired]
	shadows    shelf[document]
	versions   shelf[map[string]string]
	upgrades   shelf[map[string]*Firmware]
	configs    shelf[*ConfigFile] // by product key
}

// mostKept is the size of what is kept of a device, of each kind.
const mostKept = 256 << 10

// prepare makes the shelves. unreadable is told of records that are none.
func (k *kept) prepare(l *ledger.Ledger, shadowBytes int, unreadable func(kind ledger.Kind, key string, err error)) {
	k.ledger = l
	k.properties.prepare(newTwoRecords(l, mostKept), unreadable)
	inOne(&k.desired, l, ledger.Desired, mostKept, unreadable)
	// Beside the document there are the times of its attributes.
	inOne(&k.shadows, l, ledger.Shadow, min(4*shadowBytes, ledger.MaxValue), unreadable)
	inOne(&k.versions, l, ledger.Versions, mostKept, unreadable)
	inOne(&k.upgrades, l, ledger.Upgrades, mostKept, unreadable)
	inOne(&k.configs, l, ledger.Configs, mostKept, unreadable)
}

// inOne prepares a shelf whose values are one record each.
func inOne[T any](s *shelf[T], l *ledger.Ledger, kind ledger.Kind, max int, unreadable func(ledger.Kind, string, error)) {
	s.prepare(&whole[T]{l, kind, max}, unreadable)
}

// forget gives up everything that is kept of a device.
func (k *kept) forget(key string) error {
	return errors.Join(k.properties.forget(key), k.desired.forget(key), k.shadows.forget(key),
		k.versions.forget(key), k.upgrades.forget(key))
}

// Forget gives up what is kept of a device that was deleted; the IotId is the one that it had.
func (s *Service) Forget(iotID string) {
	if err := s.kept.forget(iotID); err != nil {
		s.opts.Logger.Error("what was kept of a deleted device is still there", "iotId", iotID, "error", err)
	}
}

// ForgetProduct gives up what is kept of a product that was deleted.
func (s *Service) ForgetProduct(productKey string) {
	if err := s.kept.configs.forget(productKey); err != nil {
		s.opts.Logger.Error("what was kept of a deleted product is still there", "product", productKey, "error", err)
	}
}

// unreadable logs that what is kept of a device, or of a product, cannot be read.
func (s *Service) unreadable(kind ledger.Kind, key string, err error) {
	of := slog.String("product", key)
	if kind != ledger.Configs {
		of = slog.String("device", key)
		if d, err := s.opts.Registry.ByIotID(key); err == nil {
			of = slog.String("device", d.Product().Key+"/"+string(d.Name()))
		}
	}
	s.opts.Logger.Warn("a record cannot be read, and counts as none", of, "kind", kind.String(), "error", err)
}

// key is the key of what is kept of a device. The error is the registry's.
func (s *Service) key(productKey, deviceName string) (string, error) {
	d, err := s.opts.Registry.Device(productKey, deviceName)
	if err != nil {
		return "", err
	}
	return d.IotID(), nil
}

// in calls f with what is kept of a device on one of the shelves; see shelf.with.
func in[T any](s *Service, of *shelf[T], productKey, deviceName string, f func(v *T) (changed bool)) error {
	key, err := s.key(productKey, deviceName)
	if err != nil {
		return err
	}
	return of.with(key, f)
}

// codeOf is the code, and the message, of an answer to a device about what could not be kept.
func (s *Service) codeOf(err error) (envelope.Code, string) {
	switch {
	case err == nil:
		return envelope.OK, ""
	case IsTooLarge(err):
		return envelope.ParamError, err.Error()
	case errors.Is(err, device.ErrNoDevice), errors.Is(err, device.ErrNoProduct):
		return envelope.NoDevice, ""
	}
	if n := s.stats.Failures.Add(1); n&(n-1) == 0 {
		s.opts.Logger.Error("nothing can be kept of devices", "error", err, "count", n)
	}
	return envelope.SystemError, ""
}
