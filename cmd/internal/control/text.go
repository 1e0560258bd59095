package control

import (
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"
)

// checkText says which text in the parameters of an operation is not UTF-8. They travel as JSON, which would put
// U+FFFD in place of what it cannot say: a device would get a name that nobody has given it.
func checkText(params any) error {
	return checkValue("", reflect.ValueOf(params))
}

func checkValue(name string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.String:
		if !utf8.ValidString(v.String()) {
			return fmt.Errorf("the %s %q is not UTF-8: the terminal, or the file that it comes from, has another encoding", words(name), v.String())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if err := checkValue(v.Type().Field(i).Name, v.Field(i)); err != nil {
				return err
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			break // travels as base64
		}
		for i := range v.Len() {
			if err := checkValue(strings.TrimSuffix(name, "s"), v.Index(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// words is the name of a field as people say it: product key for ProductKey.
func words(field string) string {
	var b strings.Builder
	for i, r := range field {
		upper := 'A' <= r && r <= 'Z'
		if upper && i > 0 {
			b.WriteByte(' ')
		}
		if upper {
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	return b.String()
}
