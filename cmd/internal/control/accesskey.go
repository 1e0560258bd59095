package control

import (
	"context"
	"time"

	"sampan/broker/device"
)

// AccessKey is a key of the server-side API in results.
type AccessKey struct {
	ID       string    `json:"accessKeyId"`
	Secret   string    `json:"accessKeySecret"`
	Note     string    `json:"note,omitempty"`
	Disabled bool      `json:"disabled,omitempty"`
	Created  time.Time `json:"created"`
}

func accessKeyOf(k *device.AccessKey) AccessKey {
	return AccessKey{k.ID, k.Secret, k.Note, k.Disabled, k.Created.UTC()}
}

// NewAccessKey is a key to make. An empty id or secret is generated.
type NewAccessKey struct {
	ID     string `json:"accessKeyId"`
	Secret string `json:"accessKeySecret"`
	Note   string `json:"note"`
}

var accessKeyCreate = define("accesskey.create", func(_ context.Context, b *Backend, n NewAccessKey) (AccessKey, error) {
	k, err := b.Registry.CreateAccessKey(n.ID, n.Secret, n.Note)
	if err != nil {
		return AccessKey{}, err
	}
	return accessKeyOf(k), nil
})

// CreateAccessKey makes an access key.
func CreateAccessKey(ctx context.Context, c Caller, n NewAccessKey) (AccessKey, error) {
	return accessKeyCreate.on(ctx, c, n)
}

var accessKeyList = define("accesskey.list", func(_ context.Context, b *Backend, _ nothing) ([]AccessKey, error) {
	list := []AccessKey{}
	for _, k := range b.Registry.AccessKeys() {
		list = append(list, accessKeyOf(k))
	}
	return list, nil
})

// ListAccessKeys lists all access keys in the order in which they were made.
func ListAccessKeys(ctx context.Context, c Caller) ([]AccessKey, error) {
	return accessKeyList.on(ctx, c, nothing{})
}
