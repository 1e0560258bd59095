package network

import (
	"context"
	"errors"
	"slices"

	"sampan/fuzz/script"
)

// restartTries is like tries where the broker may have to be restarted for each.
const restartTries = 40

// check lets the canaries sing. While they do, no script is under suspicion.
func (r *run) check(ctx context.Context) *Health {
	h := r.birds.sing(ctx)
	if h == nil {
		r.suspects = nil
	}
	return h
}

// unwell makes a finding of what the canaries say. It may have been any of the scripts since they sang last: which one
// is tried out, if the broker is still there or can be restarted. Otherwise the last one is reported, and those before.
func (r *run) unwell(ctx context.Context, h *Health) {
	suspects := slices.Clone(r.suspects)
	slices.Reverse(suspects)
	r.suspects = nil
	f := r.found[h.What]
	if f != nil {
		f.Count++
	} else {
		f = ill(h)
		f.Count = 1
		f.Transcript = r.target.Said
		r.found[f.key] = f
		r.report.Deviations = append(r.report.Deviations, f)
	}
	if f.Repeats || f.tried == repeats {
		return
	}
	if f.tried++; f.Script == "" && len(suspects) > 0 {
		f.Script = suspects[0].String()
		for _, s := range suspects[1:] {
			f.Earlier = append(f.Earlier, s.String())
		}
	}
	if h.What != "lost" && r.c.Restart == nil {
		r.tell(f)
		return
	}
	for _, s := range suspects {
		again := r.harms(ctx, s)
		if ctx.Err() != nil || r.fatal != nil {
			return
		}
		if again != nil && again.key == f.key {
			f.become(again)
			r.reduce(ctx, s, f, restartTries, r.harms)
			break
		}
	}
	if h.What != "lost" {
		r.revive(ctx) // for whoever comes next
	}
	if f.Repeats || h.What != "lost" || f.tried == repeats {
		r.tell(f)
	}
}

// ill is the finding of canaries.
func ill(h *Health) *Finding {
	return &Finding{Rule: h.What, Text: plain(h.Err), key: h.What}
}

// harms is a trial: it lets the canaries sing behind a script.
func (r *run) harms(ctx context.Context, s *script.Script) *Finding {
	if h := r.birds.sing(ctx); h != nil { // by the script before
		if h.What != "lost" && !r.revive(ctx) || r.birds.sing(ctx) != nil {
			return nil
		}
	}
	r.play(ctx, r.target, s)
	h := r.birds.sing(ctx)
	if h == nil || ctx.Err() != nil {
		return nil
	}
	f := ill(h)
	f.Script, f.Transcript = s.String(), r.target.Said
	return f
}

// revive restarts the broker, if that can be done, and reports whether there is one.
func (r *run) revive(ctx context.Context) bool {
	if r.c.Restart == nil || r.fatal != nil {
		return r.fatal == nil
	}
	r.target.mine = nil // what was left behind by the script that did it could not be removed
	err := r.restart(ctx)
	if failed := (*RestartError)(nil); errors.As(err, &failed) {
		r.fatal = failed
	}
	return err == nil
}
