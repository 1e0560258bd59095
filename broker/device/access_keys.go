package device

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// AccessKey is what a server signs its calls of the API with. It is shared and never changes.
type AccessKey struct {
	ID       string
	Secret   string
	Note     string
	Disabled bool
	Created  time.Time // to the millisecond
}

// AccessKey finds an access key, without a lock. The error is ErrNoAccessKey.
func (r *Registry) AccessKey(id string) (*AccessKey, error) {
	if k := (*r.keys.Load())[id]; k != nil {
		return k, nil
	}
	return nil, ErrNoAccessKey
}

// AccessKeys lists all access keys in the order in which they were made.
func (r *Registry) AccessKeys() []*AccessKey {
	return slices.SortedFunc(maps.Values(*r.keys.Load()), func(a, b *AccessKey) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
}

// CreateAccessKey makes an access key. An empty id or secret is generated. The error matches ErrExists or
// ErrInvalid.
func (r *Registry) CreateAccessKey(id, secret, note string) (*AccessKey, error) {
	k := &AccessKey{ID: id, Secret: secret, Note: note, Created: time.UnixMilli(r.now())}
	if k.ID == "" {
		k.ID = generate(accessKeyLength)
	}
	if k.Secret == "" {
		k.Secret = generate(accessSecretLength)
	}
	if err := checkSecret("access key id", k.ID); err != nil {
		return nil, err
	}
	if err := checkSecret("access key secret", k.Secret); err != nil {
		return nil, err
	}
	if err := checkLabel("note of an access key", k.Note); err != nil {
		return nil, err
	}
	err := r.change(func() error {
		if (*r.keys.Load())[k.ID] != nil {
			return refuse(ErrExists, "access key %s", k.ID)
		}
		r.live++
		return r.putAccessKey(k)
	})
	if err != nil {
		return nil, err
	}
	return k, nil
}

// EnableAccessKey switches an access key on or off.
func (r *Registry) EnableAccessKey(id string, on bool) error {
	return r.change(func() error {
		k := (*r.keys.Load())[id]
		if k == nil {
			return ErrNoAccessKey
		}
		changed := *k
		changed.Disabled = !on
		return r.putAccessKey(&changed)
	})
}

// DeleteAccessKey deletes an access key.
func (r *Registry) DeleteAccessKey(id string) error {
	return r.change(func() error {
		if (*r.keys.Load())[id] == nil {
			return ErrNoAccessKey
		}
		if err := r.append(appendText(append(r.scratch, entryAccessKeyDelete), id)); err != nil {
			return err
		}
		keys := maps.Clone(*r.keys.Load())
		delete(keys, id)
		r.keys.Store(&keys)
		r.live--
		r.notifyAccessKey(id)
		return nil
	})
}

// putAccessKey writes an access key and makes it visible. The caller holds mu.
func (r *Registry) putAccessKey(k *AccessKey) error {
	if err := r.append(appendAccessKey(r.scratch, k)); err != nil {
		return err
	}
	r.setAccessKey(k)
	r.notifyAccessKey(k.ID)
	return nil
}

func (r *Registry) setAccessKey(k *AccessKey) {
	keys := maps.Clone(*r.keys.Load())
	keys[k.ID] = k
	r.keys.Store(&keys)
}

func (r *Registry) notifyAccessKey(id string) {
	for _, w := range r.watchers {
		w.fn(Change{Kind: AccessKeyChanged, AccessKey: id})
	}
}
