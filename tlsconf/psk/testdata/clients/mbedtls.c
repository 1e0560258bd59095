/* A TLS-PSK client on Mbed TLS, for the interoperability tests.
 *
 *   mbedtls PORT SUITE ETM EMS FRAGMENT IDENTITY KEY
 *
 * SUITE is the number in hexadecimal, ETM and EMS are 0 or 1, FRAGMENT is 0 or
 * a maximum fragment length code 1..4, KEY is used as it is written. Copies its
 * input to the server, then the server's answer to its output, and ends with
 * status 0 if the server said it was done. */
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what, int code) {
	fprintf(stderr, "%s: -0x%04x\n", what, (unsigned)-code);
	return 1;
}

int main(int argc, char **argv) {
	mbedtls_net_context net;
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context drbg;
	mbedtls_ssl_context ssl;
	mbedtls_ssl_config conf;
	int suites[2] = {0, 0};
	static unsigned char buf[16384];
	size_t n;
	int r;

	if (argc != 8) {
		fprintf(stderr, "usage: mbedtls PORT SUITE ETM EMS FRAGMENT IDENTITY KEY\n");
		return 2;
	}
	mbedtls_net_init(&net);
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&drbg);
	mbedtls_ssl_init(&ssl);
	mbedtls_ssl_config_init(&conf);
	if ((r = mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0)) != 0)
		return fail("seed", r);
	if ((r = mbedtls_net_connect(&net, "127.0.0.1", argv[1], MBEDTLS_NET_PROTO_TCP)) != 0)
		return fail("connect", r);
	if ((r = mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT)) != 0)
		return fail("config", r);
	mbedtls_ssl_conf_rng(&conf, mbedtls_ctr_drbg_random, &drbg);
	suites[0] = (int)strtol(argv[2], NULL, 16);
	mbedtls_ssl_conf_ciphersuites(&conf, suites);
	mbedtls_ssl_conf_encrypt_then_mac(&conf, atoi(argv[3]));
	mbedtls_ssl_conf_extended_master_secret(&conf, atoi(argv[4]));
	if ((r = mbedtls_ssl_conf_max_frag_len(&conf, (unsigned char)atoi(argv[5]))) != 0)
		return fail("fragment", r);
	if ((r = mbedtls_ssl_conf_psk(&conf, (unsigned char *)argv[7], strlen(argv[7]), (unsigned char *)argv[6], strlen(argv[6]))) != 0)
		return fail("psk", r);
	if ((r = mbedtls_ssl_setup(&ssl, &conf)) != 0)
		return fail("setup", r);
	mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, mbedtls_net_recv, NULL);
	if ((r = mbedtls_ssl_handshake(&ssl)) != 0)
		return fail("handshake", r);
	fprintf(stderr, "%s %s\n", mbedtls_ssl_get_version(&ssl), mbedtls_ssl_get_ciphersuite(&ssl));
	while ((n = fread(buf, 1, sizeof buf, stdin)) > 0) {
		size_t done = 0;
		while (done < n) {
			if ((r = mbedtls_ssl_write(&ssl, buf + done, n - done)) <= 0)
				return fail("write", r);
			done += (size_t)r;
		}
	}
	while ((r = mbedtls_ssl_read(&ssl, buf, sizeof buf)) > 0)
		fwrite(buf, 1, (size_t)r, stdout);
	if (r != MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY)
		return fail("read", r);
	mbedtls_ssl_close_notify(&ssl);
	return 0;
}
