/* The calls of the platform's C SDK 4 that the tutorial makes, declared for the stand-in. */
#ifndef AIOT_MQTT_API_H
#define AIOT_MQTT_API_H

#include <stdint.h>

typedef enum {
    AIOT_MQTTOPT_HOST,
    AIOT_MQTTOPT_PORT,
    AIOT_MQTTOPT_NETWORK_CRED,
    AIOT_MQTTOPT_PRODUCT_KEY,
    AIOT_MQTTOPT_DEVICE_NAME,
    AIOT_MQTTOPT_DEVICE_SECRET,
    AIOT_MQTTOPT_RECV_HANDLER,
    OPTIONS /* how many there are */
} aiot_mqtt_option_t;

typedef enum { AIOT_MQTTRECV_PUB } aiot_mqtt_recv_type_t;

typedef struct {
    aiot_mqtt_recv_type_t type;
    union {
        struct {
            uint8_t qos;
            char *topic; /* without an end */
            uint16_t topic_len;
            uint8_t *payload;
            uint32_t payload_len;
        } pub;
    } data;
} aiot_mqtt_recv_t;

typedef void (*aiot_mqtt_recv_handler_t)(void *mqtt, const aiot_mqtt_recv_t *packet, void *userdata);

void *aiot_mqtt_init(void);
int32_t aiot_mqtt_setopt(void *mqtt, aiot_mqtt_option_t option, void *data);
int32_t aiot_mqtt_connect(void *mqtt);
int32_t aiot_mqtt_pub(void *mqtt, char *topic, uint8_t *payload, uint32_t len, uint8_t qos);
int32_t aiot_mqtt_process(void *mqtt);
int32_t aiot_mqtt_recv(void *mqtt);

#endif
