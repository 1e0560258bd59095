package permission

import "testing"

func TestClassify(t *testing.T) {
	part := func(b []byte) string {
		switch {
		case b == nil:
			return "-"
		case len(b) == 0:
			return "."
		}
		return string(b)
	}
	for _, f := range lines(t, "kinds.txt") {
		if len(f) != 6 {
			t.Fatal(f)
		}
		topic := []byte(f[0])
		got := Classify(topic)
		for i, s := range []string{got.Kind.String(), part(got.ProductKey), part(got.DeviceName), part(got.MessageID), part(got.Rest)} {
			if s != f[i+1] {
				t.Errorf("%s: %s %s %s %s %s, want %v", topic, got.Kind, part(got.ProductKey), part(got.DeviceName), part(got.MessageID), part(got.Rest), f[1:])
				break
			}
		}
	}
	if reply := Classify([]byte("/sys/pk/dev1/thing/topo/add_reply")); !reply.Reply() {
		t.Error("an answer is not seen as one")
	}
	if request := Classify([]byte("/sys/pk/dev1/thing/topo/add")); request.Reply() {
		t.Error("a request is seen as an answer")
	}
	if Kind(99).String() != "unknown" {
		t.Error("a kind that does not exist has a word")
	}
}
