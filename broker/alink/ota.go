package alink

import (
	"encoding/json"
	"errors"
	"maps"

	"sampan/broker/alink/envelope"
)

// Firmware is what a device is to be upgraded to.
type Firmware struct {
	Size       int64           `json:"size"`
	Version    string          `json:"version"`
	URL        string          `json:"url"`
	MD5        string          `json:"md5,omitempty"`
	Sign       string          `json:"sign"`
	SignMethod string          `json:"signMethod"` // Md5 or SHA256
	Module     string          `json:"module,omitempty"`
	IsDiff     int             `json:"isDiff"`
	ExtData    json.RawMessage `json:"extData,omitempty"`
}

// upgrade is the envelope in which firmware is announced; unlike all others its code is text.
type upgrade struct {
	Code    string    `json:"code"`
	Data    *Firmware `json:"data"`
	ID      string    `json:"id"`
	Message string    `json:"message"`
}

// ErrNotSubscribed is returned when the device listens to no such topic, or is not connected.
var ErrNotSubscribed = errors.New("alink: the device has not subscribed to the topic")

// Upgrade tells a device of a firmware.
func (s *Service) Upgrade(productKey, deviceName string, f *Firmware) error {
	payload, err := envelope.Marshal(upgrade{"1000", f, s.calls.nextID(), "success"})
	if err != nil {
		return err
	}
	return s.push("/ota/device/upgrade/"+productKey+"/"+deviceName, payload)
}

// FirmwareVersions returns the versions that a device has reported, by module; the firmware itself is
// "default".
func (s *Service) FirmwareVersions(productKey, deviceName string) map[string]string {
	var all map[string]string
	s.states.with(productKey, deviceName, func(d *state) { all = maps.Clone(d.firmware) })
	return all
}

// maxModules bounds the modules of a device.
const maxModules = 64

// ota takes reports of versions and of progress, and requests on the old topic.
func (s *Service) ota(t topic, payload []byte) {
	r, code := envelope.Parse(payload)
	name := map[service]string{otaInform: "inform", otaProgress: "progress", otaRequest: "request"}[t.service]
	full := "/ota/device/" + name + "/" + t.productKey + "/" + t.deviceName
	if code != envelope.OK || len(r.Params) == 0 && t.service != otaRequest {
		s.refused(full, max(code, envelope.ParamError), "")
		return
	}
	e := Event{ProductKey: t.productKey, DeviceName: t.deviceName, Params: r.Params}
	switch t.service {
	case otaInform:
		var q struct{ Version, Module string }
		if json.Unmarshal(r.Params, &q) != nil || q.Version == "" {
			s.refused(full, envelope.ParamError, "no version")
			return
		}
		if q.Module == "" {
			q.Module = "default"
		}
		s.states.with(t.productKey, t.deviceName, func(d *state) {
			if d.firmware == nil {
				d.firmware = make(map[string]string)
			}
			if _, known := d.firmware[q.Module]; known || len(d.firmware) < maxModules {
				d.firmware[q.Module] = q.Version
			}
		})
		e.Kind = VersionReport
		s.watchers(e)
		if f := s.firmwareFor(t, q.Module, q.Version); f != nil && f.Version != q.Version {
			if err := s.Upgrade(t.productKey, t.deviceName, f); err != nil {
				s.opts.Logger.Debug("firmware not announced", "device", t.productKey+"/"+t.deviceName, "error", err)
			}
		}
	case otaProgress:
		e.Kind = UpgradeProgress
		s.watchers(e)
	case otaRequest:
		answer, err := envelope.Marshal(upgrade{"1000", s.firmwareFor(t, "default", ""), r.ID, "success"})
		if err == nil {
			s.send(full, answer)
		}
	}
}

func (s *Service) firmwareFor(t topic, module, version string) *Firmware {
	if s.opts.Firmware == nil {
		return nil
	}
	return s.opts.Firmware(t.productKey, t.deviceName, module, version)
}

// getFirmware answers with what the device is to be upgraded to, or with nothing if there is nothing newer.
func (s *Service) getFirmware(t topic, r envelope.Request) (envelope.Code, string, any) {
	var q struct{ Module string }
	if len(r.Params) > 0 && json.Unmarshal(r.Params, &q) != nil {
		return envelope.ParamError, "params is not an object", nil
	}
	if q.Module == "" {
		q.Module = "default"
	}
	version := s.FirmwareVersions(t.productKey, t.deviceName)[q.Module]
	if f := s.firmwareFor(t, q.Module, version); f != nil && f.Version != version {
		return envelope.OK, "", f
	}
	return envelope.OK, "", nil
}
