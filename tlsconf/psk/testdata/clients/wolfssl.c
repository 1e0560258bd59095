/* A TLS-PSK client on wolfSSL, for the interoperability tests.
 *
 *   wolfssl PORT SUITE IDENTITY KEY
 *
 * SUITE is wolfSSL's name, KEY is used as it is written. Copies its input to
 * the server, then the server's answer to its output, and ends with status 0
 * if the server said it was done. */
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static const char *identity, *key;

static unsigned int find_key(WOLFSSL *ssl, const char *hint, char *id, unsigned int id_max, unsigned char *out, unsigned int max) {
	(void)ssl;
	(void)hint;
	if (strlen(identity) >= id_max || strlen(key) > max)
		return 0;
	strcpy(id, identity);
	memcpy(out, key, strlen(key));
	return (unsigned int)strlen(key);
}

static int fail(WOLFSSL *ssl, const char *what, int r) {
	fprintf(stderr, "%s: %d\n", what, ssl ? wolfSSL_get_error(ssl, r) : r);
	return 1;
}

int main(int argc, char **argv) {
	static char buf[16384];
	struct sockaddr_in to = {0};
	WOLFSSL_CTX *ctx;
	WOLFSSL *ssl;
	size_t n;
	int fd, r;

	if (argc != 5) {
		fprintf(stderr, "usage: wolfssl PORT SUITE IDENTITY KEY\n");
		return 2;
	}
	identity = argv[3];
	key = argv[4];
	wolfSSL_Init();
	ctx = wolfSSL_CTX_new(wolfTLSv1_2_client_method());
	if (wolfSSL_CTX_set_cipher_list(ctx, argv[2]) != WOLFSSL_SUCCESS) {
		fprintf(stderr, "no suite %s in this build\n", argv[2]);
		return 77;
	}
	wolfSSL_CTX_set_psk_client_callback(ctx, find_key);
	to.sin_family = AF_INET;
	to.sin_port = htons((unsigned short)atoi(argv[1]));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
		perror("connect");
		return 1;
	}
	ssl = wolfSSL_new(ctx);
	wolfSSL_set_fd(ssl, fd);
	if ((r = wolfSSL_connect(ssl)) != WOLFSSL_SUCCESS)
		return fail(ssl, "handshake", r);
	fprintf(stderr, "%s %s\n", wolfSSL_get_version(ssl), wolfSSL_get_cipher_name(ssl));
	while ((n = fread(buf, 1, sizeof buf, stdin)) > 0)
		if ((r = wolfSSL_write(ssl, buf, (int)n)) != (int)n)
			return fail(ssl, "write", r);
	while ((r = wolfSSL_read(ssl, buf, sizeof buf)) > 0)
		fwrite(buf, 1, (size_t)r, stdout);
	if ((r = wolfSSL_get_error(ssl, r)) != WOLFSSL_ERROR_ZERO_RETURN)
		return fail(NULL, "read", r);
	wolfSSL_shutdown(ssl);
	return 0;
}
