// Package network carries out scripts on any broker, over the network, and looks for scripts on which it
// deviates from the model: it makes them from random numbers and by changing those that had a new effect,
// keeps an eye on the broker's health with canaries, and reduces what it finds.
package network
