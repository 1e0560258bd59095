package openapi

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strconv"
)

// object is a result: named values in the order in which they are written. A value is a string, a bool, an
// int, an int64, a uint64, an object or a []object.
type object []member

type member struct {
	name  string
	value any
}

// and appends a member unless its value is the empty string.
func (o object) and(name string, value any) object {
	if s, ok := value.(string); ok && s == "" {
		return o
	}
	return append(o, member{name, value})
}

// MarshalJSON writes the members in their order, without white space.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(m.name)
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// appendXML writes the members as elements; the elements of a list repeat its name.
func (o object) appendXML(b *bytes.Buffer) {
	for _, m := range o {
		switch v := m.value.(type) {
		case []object:
			for _, e := range v {
				element(b, m.name, func() { e.appendXML(b) })
			}
		case []string:
			for _, e := range v {
				element(b, m.name, func() { xml.EscapeText(b, []byte(e)) })
			}
		case object:
			element(b, m.name, func() { v.appendXML(b) })
		default:
			element(b, m.name, func() { xml.EscapeText(b, []byte(text(v))) })
		}
	}
}

func element(b *bytes.Buffer, name string, content func()) {
	b.WriteString("<" + name + ">")
	content()
	b.WriteString("</" + name + ">")
}

func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	default:
		return fmt.Sprint(v)
	}
}

// render writes a result in the format that was asked for; the platform's default is XML, but every SDK
// asks for JSON.
func render(root string, o object, asXML bool) (body []byte, contentType string) {
	if asXML {
		var b bytes.Buffer
		b.WriteString(xml.Header)
		element(&b, root, func() { o.appendXML(&b) })
		return b.Bytes(), "text/xml;charset=utf-8"
	}
	body, _ = json.Marshal(o)
	return body, "application/json;charset=utf-8"
}
