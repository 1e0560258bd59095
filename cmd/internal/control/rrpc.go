package control

import (
	"context"
	"errors"
	"strconv"
	"time"

	"sampan/broker/rrpc"
)

// Call is a call of a device.
type Call struct {
	ProductKey string        `json:"productKey"`
	DeviceName string        `json:"deviceName"`
	Payload    []byte        `json:"payload"`
	Topic      string        `json:"topic"` // of a custom-topic RRPC; empty: the system topics
	Timeout    time.Duration `json:"timeout"`
}

// Answer is what came back.
type Answer struct {
	Code      string `json:"rrpcCode"`
	MessageID string `json:"messageId,omitempty"`
	Payload   []byte `json:"payload,omitempty"`
	Detail    string `json:"detail,omitempty"` // why there is no answer
}

var rrpcCall = define("rrpc", func(ctx context.Context, b *Backend, call Call) (Answer, error) {
	if b.Live == nil {
		return Answer{}, ErrNotRunning
	}
	answer, err := b.Live.Platform.RRPC(ctx, call.ProductKey, call.DeviceName, call.Payload, call.Topic, call.Timeout)
	var unanswered *rrpc.Error
	if errors.As(err, &unanswered) {
		return Answer{Code: string(unanswered.Code), Detail: unanswered.Error()}, nil
	}
	if err != nil {
		return Answer{}, err
	}
	return Answer{Code: string(rrpc.Success), MessageID: strconv.FormatUint(answer.MessageID, 10), Payload: answer.Payload}, nil
})

// RRPC calls a device and waits for its answer. A device that does not answer is no error: see Answer.Code.
func RRPC(ctx context.Context, c Caller, call Call) (Answer, error) { return rrpcCall.on(ctx, c, call) }
