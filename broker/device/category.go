package device

import "strings"

// Operation says what a device may do with a topic category.
type Operation uint8

const (
	Publish Operation = iota + 1
	Subscribe
	PublishAndSubscribe
)

var operationNames = [...]string{Publish: "PUB", Subscribe: "SUB", PublishAndSubscribe: "ALL"}

// ParseOperation reads PUB, SUB or ALL.
func ParseOperation(name string) (Operation, bool) {
	for o := Publish; o <= PublishAndSubscribe; o++ {
		if name == operationNames[o] {
			return o, true
		}
	}
	return 0, false
}

// String returns PUB, SUB or ALL.
func (o Operation) String() string {
	if o >= Publish && o <= PublishAndSubscribe {
		return operationNames[o]
	}
	return "unknown"
}

// MayPublish reports whether the operation includes publishing.
func (o Operation) MayPublish() bool { return o == Publish || o == PublishAndSubscribe }

// MaySubscribe reports whether the operation includes subscribing.
func (o Operation) MaySubscribe() bool { return o == Subscribe || o == PublishAndSubscribe }

// Category is a topic category of a product: a rule for the topics below /{productKey}/{deviceName}/ of each
// of its devices.
type Category struct {
	ID        uint64    // unique among products and topic categories, never given again
	Suffix    string    // what follows /{productKey}/{deviceName}/, such as "user/update"
	Operation Operation // of the device
	Note      string    // for people
}

// DeviceNamePlaceholder stands for the device's name in a category's topic.
const DeviceNamePlaceholder = "${deviceName}"

// Topic is the category as people write it: /{productKey}/${deviceName}/user/update.
func (c *Category) Topic(productKey string) string {
	return "/" + productKey + "/" + DeviceNamePlaceholder + "/" + c.Suffix
}

// Limits on a category's topic, which are the platform's on every topic (platform-facts 2.3).
const (
	longestTopic = 128 // bytes, with the names filled in
	mostSlashes  = 7
)

// checkCategory says whether a suffix may be one: levels of letters, digits and '_', none of them empty;
// and where the device only subscribes, '+' for a level and '#' for the rest.
func checkCategory(productKey, suffix string, o Operation) error {
	if o < Publish || o > PublishAndSubscribe {
		return refuse(ErrInvalid, "operation of topic category %q is not PUB, SUB or ALL", brief(suffix))
	}
	topic := len("/"+productKey+"/") + ShortestDeviceName + len("/"+suffix)
	if topic > longestTopic {
		return refuse(ErrInvalid, "topic category %q makes topics of more than %d bytes", brief(suffix), longestTopic)
	}
	levels := strings.Split(suffix, "/")
	if slashes := 2 + len(levels); slashes > mostSlashes {
		return refuse(ErrInvalid, "topic category %q makes topics with %d slashes, more than %d", suffix, slashes, mostSlashes)
	}
	for i, level := range levels {
		switch {
		case level == "":
			return refuse(ErrInvalid, "topic category %q has an empty level", suffix)
		case level == "+" || level == "#":
			if o != Subscribe {
				return refuse(ErrInvalid, "topic category %q has a wildcard, which only SUB may have", suffix)
			}
			if level == "#" && i != len(levels)-1 {
				return refuse(ErrInvalid, "topic category %q has levels behind '#'", suffix)
			}
		default:
			if c := stranger(level, "_"); c != "" {
				return refuse(ErrInvalid, "topic category %q contains %s; allowed are letters, digits and '_'", suffix, c)
			}
		}
	}
	return nil
}

// suffixOf takes the product and the device off a topic, if it has them.
func suffixOf(productKey, topic string) string {
	return strings.TrimPrefix(topic, "/"+productKey+"/"+DeviceNamePlaceholder+"/")
}

// defaultCategories are those of a new product: the three of 2018, and the same below /user as products have
// had them since 2019.
func defaultCategories() []Category {
	return []Category{
		{Suffix: "update", Operation: Publish},
		{Suffix: "update/error", Operation: Publish},
		{Suffix: "get", Operation: Subscribe},
		{Suffix: "user/update", Operation: Publish},
		{Suffix: "user/update/error", Operation: Publish},
		{Suffix: "user/get", Operation: Subscribe},
	}
}
