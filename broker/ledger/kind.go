package ledger

// Kind is what a record is about. The numbers are in the log: they do not change.
type Kind byte

const (
	Properties      Kind = iota + 1 // by IotId: what a device has posted last
	Desired                         // by IotId: what a device's properties are to be
	Shadow                          // by IotId
	Versions                        // by IotId: the firmware that a device has reported
	Upgrades                        // by IotId: the firmware that a device is to have
	Topology                        // by a sub-device's IotId: its gateway
	Tickets                         // by IotId: what a device may log in with that authenticated over HTTP
	Configs                         // by product key: the product's configuration file
	NewerProperties                 // by IotId: those that were posted since Properties was written
	kinds
)

var kindNames = [kinds]string{
	Properties: "properties", Desired: "desired", Shadow: "shadow", Versions: "versions", Upgrades: "upgrades",
	Topology: "topology", Tickets: "tickets", Configs: "configs",
	NewerProperties: "newer-properties",
}

// String returns a stable word for metrics.
func (k Kind) String() string {
	if k > 0 && k < kinds {
		return kindNames[k]
	}
	return "unknown"
}
