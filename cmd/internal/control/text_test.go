package control

import (
	"strings"
	"testing"
)

// What JSON cannot say is refused, and not changed on the way.
func TestTextThatIsNotUTF8(t *testing.T) {
	both(t, func(t *testing.T, c Caller) {
		ctx := t.Context()
		if _, err := CreateProduct(ctx, c, NewProduct{ProductKey: "pk", Name: "é 温度"}); err != nil {
			t.Fatal(err)
		}
		for name, err := range map[string]error{
			`the name "bo\xffm"`:         second(CreateProduct(ctx, c, NewProduct{ProductKey: "pk2", Name: "bo\xffm"})),
			`the sync service "bo\xffm"`: second(CreateProduct(ctx, c, NewProduct{ProductKey: "pk2", SyncServices: []string{"good", "bo\xffm"}})),
			`the nickname "bo\xffm"`:     second(CreateDevices(ctx, c, NewDevices{ProductKey: "pk", Names: []string{"dev1"}, Nickname: "bo\xffm"})),
			`the device name "bo\xffm"`:  second(ShowDevice(ctx, c, DeviceName{"pk", "bo\xffm"})),
		} {
			if err == nil || !strings.HasPrefix(err.Error(), name+" is not UTF-8") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if products, err := ListProducts(ctx, c); err != nil || len(products) != 1 || products[0].Devices != 0 {
			t.Errorf("products %+v, %v", products, err)
		}
	})
}

// A line of a file that is not UTF-8 is refused, and the others count, under their own numbers.
func TestImportOfAFileThatIsNotUTF8(t *testing.T) {
	both(t, func(t *testing.T, c Caller) {
		report, err := Import(t.Context(), c, strings.NewReader("pk,dev1,s1\npk,bo\xffm,s2\npk,,s3\npk,dev4,s4\n"), false)
		if err != nil || report.Lines != 4 || report.Added != 2 || report.Failed != 2 || len(report.Problems) != 2 {
			t.Fatalf("report %+v, %v", report, err)
		}
		if p := report.Problems[0]; p.Line != 2 || !strings.Contains(p.Problem, "is not UTF-8: save the file as UTF-8") {
			t.Errorf("the first problem is %+v", p)
		}
		if p := report.Problems[1]; p.Line != 3 {
			t.Errorf("the second problem is %+v", p)
		}
		_, err = Import(t.Context(), c, strings.NewReader("productKey,deviceName,deviceSecret,\xb1\xb8\xd7\xa2\npk,dev5,s1,x\n"), false)
		if err == nil || !strings.Contains(err.Error(), "line 1 is not UTF-8") {
			t.Errorf("a heading that is not UTF-8: %v", err)
		}
	})
}
