package openapi

import (
	"context"
	"encoding/json"
	"errors"

	"sampan/broker/alink"
)

// The actions in this file are not the platform's: what it has for firmware and configuration files, jobs and
// uploads, is not in its public facts. They say what a device is to be told, and tell it.

// setDeviceFirmware says what a device's firmware, or that of a module, is to be. A device that is not
// connected is told when it reports its version, or asks.
func (b *Backend) setDeviceFirmware(_ context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	if err := p.need("FirmwareVersion", "Url", "Sign"); err != nil {
		return nil, err
	}
	size, err := p.number("Size", 0)
	if err != nil {
		return nil, err
	}
	f := &alink.Firmware{
		Size: int64(size), Version: p.Get("FirmwareVersion"), URL: p.Get("Url"), MD5: p.Get("Md5"), Sign: p.Get("Sign"),
		SignMethod: p.Get("SignMethod"), Module: p.Get("Module"),
	}
	if f.SignMethod == "" {
		f.SignMethod = "SHA256"
	}
	if ext := p.Get("ExtData"); ext != "" {
		if !json.Valid([]byte(ext)) {
			return nil, invalidJSON
		}
		f.ExtData = json.RawMessage(ext)
	}
	err = b.Services.Upgrade(d.Product().Key, string(d.Name()), f)
	switch {
	case errors.Is(err, alink.ErrModules), alink.IsTooLarge(err):
		return nil, failed("iot.ota.TooManyModules", err.Error())
	case err != nil && !errors.Is(err, alink.ErrNotSubscribed):
		return nil, translate(err)
	}
	return object{{"Data", object{{"Told", err == nil}}}}, nil
}

// queryDeviceFirmware lists the versions that a device has reported, by module.
func (b *Backend) queryDeviceFirmware(_ context.Context, p Params) (object, error) {
	d, err := b.device(p)
	if err != nil {
		return nil, err
	}
	versions, err := b.Services.FirmwareVersions(d.Product().Key, string(d.Name()))
	if err != nil {
		return nil, translate(err)
	}
	list := []object{}
	for _, module := range sortedKeys(versions) {
		list = append(list, object{{"Module", module}, {"Version", versions[module]}})
	}
	return object{{"Data", object{{"List", object{{"Firmware", list}}}}}}, nil
}

// setProductConfig gives a product a configuration file, or takes it away without a Url, and tells the
// device that is named, if one is.
func (b *Backend) setProductConfig(_ context.Context, p Params) (object, error) {
	product, err := b.product(p)
	if err != nil {
		return nil, err
	}
	size, err := p.number("Size", 0)
	if err != nil {
		return nil, err
	}
	var file *alink.ConfigFile
	if p.Get("Url") != "" {
		file = &alink.ConfigFile{ID: text(b.IDs.Next()), Size: int64(size), Sign: p.Get("Sign"), SignMethod: p.Get("SignMethod"), URL: p.Get("Url")}
	}
	if err := b.Services.SetConfig(product.Key, file); err != nil {
		return nil, translate(err)
	}
	if file == nil {
		return object{}, nil
	}
	data := object{{"ConfigId", file.ID}}
	if name := p.Get("DeviceName"); name != "" {
		err := b.Services.PushConfig(product.Key, name, *file)
		if err != nil && !errors.Is(err, alink.ErrNotSubscribed) {
			return nil, translate(err)
		}
		data = append(data, member{"Told", err == nil})
	}
	return object{{"Data", data}}, nil
}
