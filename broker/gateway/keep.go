package gateway

import (
	"sampan/broker/ledger"
)

// A topology is kept as one record for each sub-device: its IotId, and that of its gateway.

// Recover takes over the topologies that the ledger has. It is called once, before the first message. Records
// of devices that there are no more are what a crash has left behind.
func (s *Service) Recover() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var stale []string
	err := s.ledger.All(ledger.Topology, func(key string, value []byte) error {
		sub, err := s.opts.Registry.ByIotID(key)
		if err == nil {
			g, err := s.opts.Registry.ByIotID(string(value))
			if err == nil {
				to := s.gateway(Name{g.Product().Key, string(g.Name())})
				n := Name{sub.Product().Key, string(sub.Name())}
				to.topology[n] = struct{}{}
				s.owner[n] = to
				return nil
			}
		}
		stale = append(stale, key)
		return nil
	})
	if err != nil {
		return err
	}
	return s.ledger.Delete(ledger.Topology, stale...)
}

// iotID is the IotId of a device, and empty if there is none.
func (s *Service) iotID(n Name) string {
	d, err := s.opts.Registry.Device(n.ProductKey, n.DeviceName)
	if err != nil {
		return ""
	}
	return d.IotID()
}

// keepTopology notes that devices belong to a gateway. Called with mu held, so that the ledger and the maps
// change in one order.
func (s *Service) keepTopology(g Name, subs []Name) error {
	id := s.iotID(g)
	records := make([]ledger.Record, 0, len(subs))
	for _, n := range subs {
		if key := s.iotID(n); key != "" && id != "" {
			records = append(records, ledger.Record{Key: key, Value: []byte(id)})
		}
	}
	return s.ledger.Put(ledger.Topology, records...)
}
