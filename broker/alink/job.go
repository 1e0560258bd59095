package alink

import (
	"encoding/json"

	"sampan/broker/alink/envelope"
)

// job is what a device asks about its jobs, which the platform calls tasks in requests. There are none here: jobs
// are made in the platform's console, and its public facts have only what devices see.
type job struct {
	ID string `json:"taskId"`
}

// allJobs is the id that stands for all jobs of a device.
const allJobs = "$list"

// getJob answers that there is no such job: with its id and nothing else, as the C SDK 4 wants it, and with an
// empty list if all are asked for.
func (s *Service) getJob(_ topic, r envelope.Request) (envelope.Code, string, any) {
	var q job
	if json.Unmarshal(r.Params, &q) != nil || q.ID == "" {
		return envelope.ParamError, "no taskId", nil
	}
	if q.ID == allJobs {
		return envelope.OK, "", struct {
			job
			Jobs []struct{} `json:"tasks"`
		}{q, []struct{}{}}
	}
	return envelope.OK, "", q
}

// updateJob refuses the state of a job that there is not.
func (s *Service) updateJob(topic, envelope.Request) (envelope.Code, string, any) {
	return envelope.ParamError, "there is no such task", nil
}
