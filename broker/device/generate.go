package device

import "crypto/rand"

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// The shapes of the platform's generated names and secrets, in characters.
const (
	productKeyLength    = 11
	productSecretLength = 16
	deviceNameLength    = 20
	deviceSecretLength  = 32
	tokenLength         = 32
	accessKeyLength     = 24
	accessSecretLength  = 30
)

// generate returns a text of letters and digits, each equally likely, from the operating system's random
// generator: 5.95 bits a character.
func generate(length int) string {
	text := make([]byte, 0, length)
	random := make([]byte, 2*length)
	for {
		_, _ = rand.Read(random) // never fails: it ends the process instead
		for _, b := range random {
			// 248 is the largest multiple of 62 in a byte: beyond it the first characters would be likelier.
			if b >= 248 {
				continue
			}
			if text = append(text, alphabet[b%62]); len(text) == length {
				return string(text)
			}
		}
	}
}
