// Package packet turns bytes into MQTT 3.1.1 and 3.1 control packets and back.
package packet
