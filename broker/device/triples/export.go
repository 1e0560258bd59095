package triples

import (
	"encoding/csv"
	"io"

	"sampan/broker/device"
)

// Export writes all devices of the given products, or of all products if none are given, as a file that
// Import reads. It goes on while the registry changes; every device that was there all the time is in the
// file once. The error is that of the writer, or matches device.ErrNoProduct; then nothing was written.
//
// The file holds the secrets.
func Export(w io.Writer, r *device.Registry, productKeys ...string) error {
	var products []*device.Product
	for _, key := range productKeys {
		p, err := r.Product(key)
		if err != nil {
			return err
		}
		products = append(products, p)
	}
	if len(productKeys) == 0 {
		for p := range r.Products() {
			products = append(products, p)
		}
	}
	out := csv.NewWriter(w)
	if err := out.Write([]string{"productKey", "deviceName", "deviceSecret", "productSecret"}); err != nil {
		return err
	}
	for _, p := range products {
		for d := range r.Devices(p.Key, 0) {
			if err := out.Write([]string{p.Key, string(d.Name()), string(d.Secret()), p.Secret}); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}
