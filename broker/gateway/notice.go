package gateway

// Action is what has become of a gateway's sub-devices.
type Action string

// What servers are told. (platform: facts, section 5)
const (
	Found   Action = "found" // the gateway says that they are there; it has not added them
	Add     Action = "add"   // to its topology
	Remove  Action = "remove"
	Enable  Action = "enable"
	Disable Action = "disable"
)

// Notice tells a server about a gateway's sub-devices.
type Notice struct {
	Action  Action
	Gateway Name
	Devices []Identified
}

// Identified is a device with its IotId, which is empty if there is no such device.
type Identified struct {
	Name
	IotID string `json:"iotId"`
}

// notify tells of sub-devices, if there are any. Called without mu.
func (s *Service) notify(a Action, g Name, subs ...Name) {
	if s.opts.Notify == nil || len(subs) == 0 {
		return
	}
	list := make([]Identified, len(subs))
	for i, n := range subs {
		list[i] = Identified{n, s.iotID(n)}
	}
	s.opts.Notify(Notice{a, g, list})
}
