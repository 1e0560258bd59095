/*
 * Stands in for the platform's C SDK 4, which is not part of this project: it has the calls that the tutorial
 * makes, and sends the bytes that the SDK sends, as they were recorded (recorded.h is made of the replays in
 * broker/platform/testdata). A program that does not say who the recorded device is does not connect.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aiot_mqtt_api.h"
#include "aiot_state_api.h"
#include "aiot_sysdep_api.h"
#include "recorded.h" /* CONNECT, CONNACK, PINGREQ, PINGRESP, PRODUCT_KEY, DEVICE_NAME, DEVICE_SECRET */

aiot_sysdep_portfile_t g_aiot_sysdep_portfile;

static struct {
    int socket;
    void *options[OPTIONS];
} the;

static int set_up;

void aiot_sysdep_set_portfile(aiot_sysdep_portfile_t *portfile) { set_up = portfile == &g_aiot_sysdep_portfile; }

void *aiot_mqtt_init(void) { return set_up ? &the : NULL; }

int32_t aiot_mqtt_setopt(void *mqtt, aiot_mqtt_option_t option, void *data)
{
    the.options[option] = data;
    return STATE_SUCCESS;
}

static void must(int ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "the stand-in of the C SDK: %s\n", what);
        exit(1);
    }
}

static void get(uint8_t *into, size_t n)
{
    while (n > 0) {
        ssize_t got = recv(the.socket, into, n, 0);
        must(got > 0, "the connection is lost");
        into += got;
        n -= got;
    }
}

static void put(const uint8_t *from, size_t n) { must(send(the.socket, from, n, 0) == (ssize_t)n, "cannot send"); }

/* exchange sends what the SDK sends and wants the bytes that the SDK wants. */
static void exchange(const uint8_t *sent, size_t n, const uint8_t *wanted, size_t m)
{
    uint8_t got[8];

    put(sent, n);
    get(got, m);
    must(memcmp(got, wanted, m) == 0, "the broker answers otherwise than the platform");
}

int32_t aiot_mqtt_connect(void *mqtt)
{
    struct sockaddr_in broker = {.sin_family = AF_INET};

    for (int i = 0; i < OPTIONS; i++) {
        must(the.options[i] != NULL, "an option is not set");
    }
    must(((aiot_sysdep_network_cred_t *)the.options[AIOT_MQTTOPT_NETWORK_CRED])->option == AIOT_SYSDEP_NETWORK_CRED_NONE, "TCP is recorded");
    must(strcmp(the.options[AIOT_MQTTOPT_PRODUCT_KEY], PRODUCT_KEY) == 0 && strcmp(the.options[AIOT_MQTTOPT_DEVICE_NAME], DEVICE_NAME) == 0 &&
             strcmp(the.options[AIOT_MQTTOPT_DEVICE_SECRET], DEVICE_SECRET) == 0,
         "another device is recorded");
    broker.sin_port = htons(*(uint16_t *)the.options[AIOT_MQTTOPT_PORT]);
    must(inet_pton(AF_INET, the.options[AIOT_MQTTOPT_HOST], &broker.sin_addr) == 1, "the host is not an address");
    the.socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(the.socket, (struct sockaddr *)&broker, sizeof(broker)) != 0) {
        return -1;
    }
    exchange(CONNECT, sizeof(CONNECT), CONNACK, sizeof(CONNACK));
    exchange(PINGREQ, sizeof(PINGREQ), PINGRESP, sizeof(PINGRESP));
    return STATE_SUCCESS;
}

int32_t aiot_mqtt_process(void *mqtt) { return STATE_SUCCESS; }

/* aiot_mqtt_recv waits for one PUBLISH, of QoS 0 and less than 128 bytes, and hands it on. */
int32_t aiot_mqtt_recv(void *mqtt)
{
    uint8_t head[2], body[127];
    uint16_t topic_len;
    aiot_mqtt_recv_t packet = {.type = AIOT_MQTTRECV_PUB};

    get(head, 2);
    must(head[0] == 0x30 && head[1] < 128, "not a short PUBLISH");
    get(body, head[1]);
    topic_len = body[0] << 8 | body[1];
    packet.data.pub.topic = (char *)body + 2;
    packet.data.pub.topic_len = topic_len;
    packet.data.pub.payload = body + 2 + topic_len;
    packet.data.pub.payload_len = head[1] - 2 - topic_len;
    ((aiot_mqtt_recv_handler_t)the.options[AIOT_MQTTOPT_RECV_HANDLER])(mqtt, &packet, NULL);
    return STATE_SUCCESS;
}

int32_t aiot_mqtt_pub(void *mqtt, char *topic, uint8_t *payload, uint32_t len, uint8_t qos)
{
    uint8_t packet[129] = {0x30};
    size_t topic_len = strlen(topic), length = 2 + topic_len + len;

    must(qos == 0 && length < 128, "not a short PUBLISH of QoS 0");
    packet[1] = length;
    packet[3] = topic_len;
    memcpy(packet + 4, topic, topic_len);
    memcpy(packet + 4 + topic_len, payload, len);
    put(packet, 2 + length);
    return STATE_SUCCESS;
}
