package device

import (
	"encoding/binary"
	"time"
)

// An entry is a record of the log: a kind, and what has become of one thing. Entries say the whole state of
// their thing, not the difference, so reading one twice does no harm, and one for a thing that is not there
// any more means nothing.
const (
	entryProduct         = 1 // fields of a product
	entryProductDeleted  = 2 // text product key
	entryDevice          = 3 // text product key, varint number, varint state, text name, body
	entryDeviceState     = 4 // text product key, varint number, varint state
	entryDeviceDeleted   = 5 // text product key, varint number
	entryAccessKey       = 6 // fields of an access key
	entryAccessKeyDelete = 7 // text id
	entryCounters        = 8 // varint next ID
)

// The fields of a product.
const (
	fieldKey          = 1
	fieldSecret       = 2
	fieldName         = 3
	fieldDescription  = 4
	fieldNodeType     = 5
	fieldDataFormat   = 6
	fieldAuthType     = 7
	fieldRegistration = 8
	fieldCreated      = 9
	fieldCategory     = 10 // varint id, byte operation, text suffix, text note
	fieldNextNumber   = 11 // of a device
	fieldNextID       = 12 // of the registry
	fieldProductID    = 13
	fieldAuthority    = 14 // a KeyFingerprint
	fieldSyncService  = 15 // text of one
)

func appendProduct(dst []byte, p *Product, nextNumber uint32, nextID uint64) []byte {
	dst = append(dst, entryProduct)
	dst = appendField(dst, fieldKey, p.Key)
	dst = appendField(dst, fieldSecret, p.Secret)
	dst = appendField(dst, fieldName, p.Name)
	dst = appendField(dst, fieldDescription, p.Description)
	dst = appendNumberField(dst, fieldNodeType, uint64(p.NodeType))
	dst = appendNumberField(dst, fieldDataFormat, uint64(p.DataFormat))
	dst = appendNumberField(dst, fieldAuthType, uint64(p.AuthType))
	if p.DynamicRegistration {
		dst = appendNumberField(dst, fieldRegistration, 1)
	}
	dst = appendNumberField(dst, fieldCreated, uint64(p.Created.UnixMilli()))
	for _, c := range p.Categories {
		value := binary.AppendUvarint(nil, c.ID)
		value = append(value, byte(c.Operation))
		value = appendText(appendText(value, c.Suffix), c.Note)
		dst = appendField(dst, fieldCategory, value)
	}
	for _, key := range p.Authorities {
		dst = appendField(dst, fieldAuthority, key[:])
	}
	for _, id := range p.SyncServices {
		dst = appendField(dst, fieldSyncService, id)
	}
	dst = appendNumberField(dst, fieldProductID, p.ID)
	dst = appendNumberField(dst, fieldNextNumber, uint64(nextNumber))
	return appendNumberField(dst, fieldNextID, nextID)
}

// readProduct reads what appendProduct wrote, behind the kind. ok is false if it is damaged.
func readProduct(record []byte) (p *Product, nextNumber uint32, nextID uint64, ok bool) {
	c := cursor{b: record}
	p = &Product{Created: time.UnixMilli(0)}
	for {
		tag, value := c.field()
		switch tag {
		case tagEnd:
			return p, nextNumber, nextID, !c.bad && p.Key != ""
		case fieldKey:
			p.Key = string(value)
		case fieldSecret:
			p.Secret = string(value)
		case fieldName:
			p.Name = string(value)
		case fieldDescription:
			p.Description = string(value)
		case fieldNodeType:
			p.NodeType = NodeType(c.numberIn(value))
		case fieldDataFormat:
			p.DataFormat = DataFormat(c.numberIn(value))
		case fieldAuthType:
			p.AuthType = AuthType(c.numberIn(value))
		case fieldRegistration:
			p.DynamicRegistration = c.numberIn(value) == 1
		case fieldCreated:
			p.Created = time.UnixMilli(int64(c.numberIn(value)))
		case fieldCategory:
			inner := cursor{b: value}
			category := Category{ID: inner.number(), Operation: Operation(inner.byte())}
			category.Suffix, category.Note = string(inner.text()), string(inner.text())
			if inner.bad {
				c.fail()
			}
			p.Categories = append(p.Categories, category)
		case fieldSyncService:
			if len(value) == 0 { // is never written
				c.fail()
				continue
			}
			p.SyncServices = append(p.SyncServices, string(value))
		case fieldProductID:
			p.ID = c.numberIn(value)
		case fieldAuthority:
			if len(value) != len(KeyFingerprint{}) {
				c.fail()
				continue
			}
			p.Authorities = append(p.Authorities, KeyFingerprint(value))
		case fieldNextNumber:
			nextNumber = uint32(c.numberIn(value))
		case fieldNextID:
			nextID = c.numberIn(value)
		}
	}
}

func appendDevice(dst []byte, productKey string, number uint32, state uint64, name, body []byte) []byte {
	dst = appendText(append(dst, entryDevice), productKey)
	dst = binary.AppendUvarint(dst, uint64(number))
	dst = binary.AppendUvarint(dst, state)
	return append(appendText(dst, name), body...)
}

func appendDeviceState(dst []byte, productKey string, number uint32, state uint64) []byte {
	dst = appendText(append(dst, entryDeviceState), productKey)
	dst = binary.AppendUvarint(dst, uint64(number))
	return binary.AppendUvarint(dst, state)
}

func appendDeviceDeleted(dst []byte, productKey string, number uint32) []byte {
	dst = appendText(append(dst, entryDeviceDeleted), productKey)
	return binary.AppendUvarint(dst, uint64(number))
}

func appendCounters(dst []byte, nextID uint64) []byte {
	return binary.AppendUvarint(append(dst, entryCounters), nextID)
}

// The fields of an access key; created, secret and note as in a product.
const (
	fieldID       = 1
	fieldDisabled = 8
)

func appendAccessKey(dst []byte, k *AccessKey) []byte {
	dst = append(dst, entryAccessKey)
	dst = appendField(dst, fieldID, k.ID)
	dst = appendField(dst, fieldSecret, k.Secret)
	dst = appendField(dst, fieldName, k.Note)
	if k.Disabled {
		dst = appendNumberField(dst, fieldDisabled, 1)
	}
	return appendNumberField(dst, fieldCreated, uint64(k.Created.UnixMilli()))
}

func readAccessKey(record []byte) (k *AccessKey, ok bool) {
	c := cursor{b: record}
	k = &AccessKey{Created: time.UnixMilli(0)}
	for {
		tag, value := c.field()
		switch tag {
		case tagEnd:
			return k, !c.bad && k.ID != ""
		case fieldID:
			k.ID = string(value)
		case fieldSecret:
			k.Secret = string(value)
		case fieldName:
			k.Note = string(value)
		case fieldDisabled:
			k.Disabled = c.numberIn(value) == 1
		case fieldCreated:
			k.Created = time.UnixMilli(int64(c.numberIn(value)))
		}
	}
}
