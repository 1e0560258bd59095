package main

// layout makes the bytes of a fuzzer that knows only bytes of a seed's arguments.
type layout func([]argument) []byte

var layouts = map[string]layout{"plain": plain, "oss-fuzz": ossFuzz}

// plain is for fuzzers that give a target all they have: bytes and texts, one after the other.
func plain(args []argument) (data []byte) {
	for _, a := range args {
		if !a.fixed() {
			data = append(data, a.data...)
		}
	}
	return data
}

// ossFuzz is what the targets take to pieces that compile_native_go_fuzzer_v2 builds: the numbers and truth
// values, then a weight of one byte for each text, a single one too, then the texts. Each but the last has its
// weight's share of the bytes of all, rounded down, and the last has the rest. With long texts not every division
// can be said in single bytes: the longest is then cut off at its end until there are weights for it.
func ossFuzz(args []argument) (data []byte) {
	var texts [][]byte
	for _, a := range args {
		if a.fixed() {
			data = append(data, a.data...)
		} else {
			texts = append(texts, a.data)
		}
	}
	shares, ok := weights(texts)
	for !ok {
		longest := 0
		for i, text := range texts {
			if len(text) > len(texts[longest]) {
				longest = i
			}
		}
		texts[longest] = texts[longest][:len(texts[longest])-1]
		shares, ok = weights(texts)
	}
	data = append(data, shares...)
	for _, text := range texts {
		data = append(data, text...)
	}
	return data
}

// weights returns those that give each text its bytes, if there are such. There are for texts of up to 255 bytes:
// their sizes.
func weights(texts [][]byte) (shares []byte, ok bool) {
	shares = make([]byte, len(texts))
	total := 0
	for _, text := range texts {
		total += len(text)
	}
	if total == 0 {
		return shares, true
	}
	for sum := 1; sum <= 255*len(texts); sum++ {
		if divide(shares, texts, total, sum) {
			return shares, true
		}
	}
	return nil, false
}

// divide sets the weights of a sum, and reports whether they give each text its bytes.
func divide(shares []byte, texts [][]byte, total, sum int) bool {
	last := len(texts) - 1
	rest := sum
	for i, text := range texts[:last] {
		share := (len(text)*sum + total - 1) / total
		if share > 255 || share*total/sum != len(text) {
			return false
		}
		shares[i] = byte(share)
		rest -= share
	}
	if rest < 0 || rest > 255 {
		return false
	}
	shares[last] = byte(rest)
	return true
}
