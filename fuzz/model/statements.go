package model

// Statement ids of rules that are not the standard's own: the platform's, and those without which no client
// could rely on a broker. The restrictions on packets have theirs in package packet.
const (
	ruleCredentials    = "IOT-CREDENTIALS"     // who does not say who he is gets return code 4
	ruleKeepAlive      = "IOT-KEEP-ALIVE"      // a keep-alive below 30 s or above 1,200 s gets return code 2
	ruleConnectTimeout = "IOT-CONNECT-TIMEOUT" // a connection without CONNECT is closed after a while (section 3.1)
	ruleRestart        = "IOT-RESTART"         // a broker that stops closes its connections
	ruleWriteStall     = "IOT-WRITE-STALL"     // a client that takes nothing for a while is disconnected
	ruleHolds          = "IOT-HOLDS"           // what was acknowledged is there after a power cut
	rulePrincipal      = "IOT-PRINCIPAL"       // what the program says of a client holds: its quota, its lifetime, a welcome
	ruleHost           = "IOT-HOST"            // the program in whose process the broker is closes a connection, or ends a session
	ruleDisconnect     = "IOT-DISCONNECT"      // after DISCONNECT the broker closes the connection if the client has not, which the standard asks for without a MUST (section 3.14.4)
	ruleStays          = "IOT-STAYS"           // the connection of a client that has broken no rule goes on
)
