// Package clients points MQTT clients that others have made at the binary, as they are: Debian's
// mosquitto_pub and mosquitto_sub, python3-paho-mqtt, npm's mqtt, and the official device SDK
// alibabacloud-iot-device-sdk, a page in Chromium, and GnuTLS with a key in a PKCS#11 token. Its tests are all
// there is.
//
// A tool that is missing makes its tests skip, or fail if SAMPAN_REQUIRE_TOOLS is 1. `make clients` installs
// the npm packages, which are pinned by the lock file in node; the others are Debian's packages
// mosquitto-clients, python3-paho-mqtt and nodejs.
package clients
