package alink

import (
	"encoding/json"
	"errors"
	"maps"
	"strconv"

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

// Upgrade says what a device's firmware, or that of one of its modules, is to be, and tells the device when
// that holds. The device is told again whenever it reports another version, and gets it when it asks, until
// it reports the version that it is to have. The error is ErrNotSubscribed if it was not told now, and one that
// IsTooLarge is true of if it cannot be kept.
func (s *Service) Upgrade(productKey, deviceName string, f *Firmware) error {
	d, err := s.opts.Registry.Device(productKey, deviceName)
	if err != nil {
		return err
	}
	if envelope.TooDeep(f.ExtData) {
		return errTooDeep
	}
	if err := s.toDevice(&d); err != nil {
		return err
	}
	err = s.kept.upgrades.with(d.IotID(), func(all *map[string]*Firmware) bool {
		module := orDefault(f.Module)
		if *all == nil {
			*all = make(map[string]*Firmware)
		}
		if _, known := (*all)[module]; !known && len(*all) >= maxModules {
			err = ErrModules
			return false
		}
		own := *f
		(*all)[module] = &own
		return true
	})
	if err == nil {
		err = s.kept.ledger.Wait()
	}
	if err != nil {
		return err
	}
	return s.announce(productKey, deviceName, f)
}

// ErrModules is returned for the firmware of one module too many.
var ErrModules = errors.New("alink: firmware for too many modules of one device")

// announce tells a device of a firmware.
func (s *Service) announce(productKey, deviceName string, f *Firmware) error {
	payload, err := envelope.Marshal(upgrade{"1000", f, s.calls.nextID(), "success"})
	if err != nil {
		return err
	}
	return s.push("/ota/device/upgrade/"+productKey+"/"+deviceName, payload)
}

// FirmwareVersions returns the versions that a device has reported, by module; that of the firmware
// itself is DefaultModule.
func (s *Service) FirmwareVersions(productKey, deviceName string) (all map[string]string, err error) {
	err = in(s, &s.kept.versions, productKey, deviceName, func(v *map[string]string) bool {
		all = maps.Clone(*v)
		return false
	})
	return all, err
}

// DefaultModule is the module of a device's firmware itself.
const DefaultModule = "default"

func orDefault(module string) string {
	if module == "" {
		return DefaultModule
	}
	return module
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
		q.Module = orDefault(q.Module)
		if code, message := s.reported(t, q.Module, q.Version); code != envelope.OK {
			s.refused(full, code, message)
			return
		}
		e.Kind = VersionReport
		s.watchers(e)
		if f := s.firmwareFor(t, q.Module, q.Version); f != nil && f.Version != q.Version {
			if err := s.announce(t.productKey, t.deviceName, f); err != nil {
				s.opts.Logger.Debug("firmware not announced", "device", t.productKey+"/"+t.deviceName, "error", err)
			}
		}
	case otaProgress:
		if !progress(r.Params) {
			s.refused(full, envelope.ParamError, "step is not 1 to 100 or -1 to -4")
			return
		}
		e.Kind = UpgradeProgress
		s.watchers(e)
	case otaRequest:
		answer, err := envelope.Marshal(upgrade{"1000", s.firmwareFor(t, DefaultModule, ""), r.ID, "success"})
		if err == nil {
			s.send(full, answer)
		}
	}
}

// progress reports whether a step is one: a percentage from 1 to 100, or -1 to -4 for what has failed (the
// upgrade, the download, the check, the burning); as text or as a number.
func progress(params json.RawMessage) bool {
	var q struct {
		Step json.RawMessage `json:"step"`
	}
	if json.Unmarshal(params, &q) != nil {
		return false
	}
	text := string(q.Step)
	_ = json.Unmarshal(q.Step, &text) // without its quotes, if it has any
	n, err := strconv.Atoi(text)
	return err == nil && n != 0 && -4 <= n && n <= 100
}

// reported keeps a version that a device has reported, and gives up an upgrade to it.
func (s *Service) reported(t topic, module, version string) (envelope.Code, string) {
	err := in(s, &s.kept.versions, t.productKey, t.deviceName, func(all *map[string]string) bool {
		before, known := (*all)[module]
		if known && before == version || !known && len(*all) >= maxModules {
			return false
		}
		if *all == nil {
			*all = make(map[string]string)
		}
		(*all)[module] = version
		return true
	})
	if err == nil {
		err = in(s, &s.kept.upgrades, t.productKey, t.deviceName, func(all *map[string]*Firmware) bool {
			f := (*all)[module]
			if f == nil || f.Version != version {
				return false
			}
			delete(*all, module)
			return true
		})
	}
	return s.codeOf(err)
}

// firmwareFor is what a module of a device is to be upgraded to: what Upgrade said, or else the embedder.
func (s *Service) firmwareFor(t topic, module, version string) (f *Firmware) {
	err := in(s, &s.kept.upgrades, t.productKey, t.deviceName, func(all *map[string]*Firmware) bool {
		if found := (*all)[module]; found != nil {
			own := *found
			f = &own
		}
		return false
	})
	if code, _ := s.codeOf(err); f != nil || code != envelope.OK || s.opts.Firmware == nil {
		return f
	}
	return s.opts.Firmware(t.productKey, t.deviceName, module, version)
}

// getFirmware answers with what the device is to be upgraded to, or with nothing if there is nothing newer.
func (s *Service) getFirmware(t topic, r envelope.Request) (envelope.Code, string, any) {
	var q struct{ Module string }
	if len(r.Params) > 0 && json.Unmarshal(r.Params, &q) != nil {
		return envelope.ParamError, "params is not an object", nil
	}
	q.Module = orDefault(q.Module)
	versions, err := s.FirmwareVersions(t.productKey, t.deviceName)
	if code, message := s.codeOf(err); code != envelope.OK {
		return code, message, nil
	}
	if f := s.firmwareFor(t, q.Module, versions[q.Module]); f != nil && f.Version != versions[q.Module] {
		return envelope.OK, "", f
	}
	return envelope.OK, "", nil
}
