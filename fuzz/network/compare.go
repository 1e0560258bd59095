package network

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"sampan/fuzz/script"
)

// beside makes the second broker ready, which must be there.
func (r *run) beside(ctx context.Context) error {
	r.second = newCanaries(r.c.Other, r.patience, r.c.Username, r.c.Password)
	if err := r.reach(ctx, r.second); err != nil {
		return fmt.Errorf("the second broker %w", err)
	}
	r.other = r.on(r.c.Other)
	return nil
}

// reach looks whether a client can connect.
func (r *run) reach(ctx context.Context, cs *canaries) error {
	probe, err := cs.connect(ctx, "probe")
	if err != nil {
		return err
	}
	probe.nc.Close()
	return nil
}

// compare carries out a script that was in order on the second broker.
func (r *run) compare(ctx context.Context, s *script.Script) {
	f := r.difference(ctx, s, r.target.Said)
	switch {
	case f == nil || ctx.Err() != nil:
	case f.Rule == "crash":
		f.Count = 1
		r.report.Differences = append(r.report.Differences, f)
		r.tell(f)
		r.other = nil
	default:
		r.note(ctx, s, f, &r.report.Differences, r.differs)
	}
}

// differs is a trial: it looks for a difference between the brokers.
func (r *run) differs(ctx context.Context, s *script.Script) *Finding {
	if res := r.play(ctx, r.target, s); res.Deviation != nil || res.Err != nil {
		return nil // another matter
	}
	return r.difference(ctx, s, r.target.Said)
}

// difference carries out a script on the second broker and compares it with what the first has said.
func (r *run) difference(ctx context.Context, s *script.Script, said []string) *Finding {
	res := r.play(ctx, r.other, s)
	f := finding(s, res, nil)
	switch {
	case res.Deviation != nil:
		f.Text = "only the second broker deviates: " + f.Text
	case res.Err != nil:
		if err := r.reach(ctx, r.second); err != nil {
			f.Rule, f.Text = "crash", "the second broker is gone: "+plain(err)
			break
		}
		f.Text = "only the second broker fails: " + f.Text
	default:
		conn, at := differ(answers(said), answers(r.other.Said))
		if at == "" {
			return nil
		}
		f = &Finding{Rule: NoRule, Script: s.String(), Connection: conn, key: at,
			Text: "the brokers answer differently, both within the standard: " + at}
	}
	f.key = "second: " + f.key
	f.Transcript = slices.Concat([]string{"first broker:"}, said, []string{"second broker:"}, r.other.Said)
	return f
}

// differ says on which connection two transcripts, as answers has them, differ first, and at what packets; at is empty
// if they do not.
func differ(first, second string) (conn, at string) {
	lines := strings.Split(second, "\n")
	for i, line := range strings.Split(first, "\n") {
		a, b := strings.Fields(line), strings.Fields(lines[i])
		same := 0
		for same < min(len(a), len(b)) && a[same] == b[same] {
			same++
		}
		if same < max(len(a), len(b)) {
			return string(rune('A' + i)), packetAt(a, same) + ", " + packetAt(b, same)
		}
	}
	return "", ""
}

// packetAt names the packet that a word of a line belongs to: the one behind the last <.
func packetAt(words []string, i int) string {
	for i = min(i, len(words)-1); i >= 0; i-- {
		if words[i] == "<" && i+1 < len(words) {
			return words[i+1]
		}
	}
	return "nothing"
}
