package triples

import (
	"bytes"
	"strings"

	"sampan/broker/device"
)

// columns says in which field of a line something is; -1: nowhere.
type columns struct {
	productKey, deviceName, deviceSecret, productSecret int
}

// header reads a first line. It is one if it names at least two of our columns; otherwise the columns are those
// of a file without one.
func header(fields []string) (c columns, isHeader bool) {
	c = columns{-1, -1, -1, -1}
	found := 0
	for i, f := range fields {
		if at := c.named(f); at != nil && *at < 0 {
			*at = i
			found++
		}
	}
	if found < 2 {
		return columns{0, 1, 2, 3}, false
	}
	return c, true
}

// Heading reports whether a line names the columns, if it is the first of a file that is not blank, and whether it is
// blank. Who cuts a file into several gives each of them the line that does.
func Heading(line []byte) (names, blank bool) {
	line = bytes.TrimSpace(bytes.TrimPrefix(line, []byte(byteOrderMark)))
	if len(line) == 0 {
		return false, true
	}
	fields, err := split(string(line), nil)
	if err != nil {
		return false, false
	}
	_, names = header(fields)
	return names, false
}

// separators are what the words of a column's name may have between them. Making one takes 7 KB.
var separators = strings.NewReplacer("_", "", "-", "", " ", "")

// named finds the column of a name as it stands in a header: productKey, ProductKey, product_key, PRODUCT KEY.
func (c *columns) named(name string) *int {
	plain := separators.Replace(strings.ToLower(name))
	switch plain {
	case "productkey":
		return &c.productKey
	case "devicename":
		return &c.deviceName
	case "devicesecret":
		return &c.deviceSecret
	case "productsecret":
		return &c.productSecret
	}
	return nil
}

// missing names a column that is needed and not there.
func (c *columns) missing() string {
	switch {
	case c.productKey < 0:
		return "productKey"
	case c.deviceName < 0:
		return "deviceName"
	case c.deviceSecret < 0:
		return "deviceSecret"
	}
	return ""
}

// last is the last field that a line must have.
func (c *columns) last() int { return max(c.productKey, c.deviceName, c.deviceSecret) }

func (c *columns) read(fields []string) device.Imported {
	d := device.Imported{
		ProductKey:   fields[c.productKey],
		DeviceName:   fields[c.deviceName],
		DeviceSecret: fields[c.deviceSecret],
	}
	if c.productSecret >= 0 && c.productSecret < len(fields) {
		d.ProductSecret = fields[c.productSecret]
	}
	return d
}
