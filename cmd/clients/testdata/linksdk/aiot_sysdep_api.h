#ifndef AIOT_SYSDEP_API_H
#define AIOT_SYSDEP_API_H

typedef enum { AIOT_SYSDEP_NETWORK_CRED_NONE } aiot_sysdep_network_cred_option_t;

typedef struct {
    aiot_sysdep_network_cred_option_t option;
} aiot_sysdep_network_cred_t;

typedef struct {
    int unused;
} aiot_sysdep_portfile_t;

void aiot_sysdep_set_portfile(aiot_sysdep_portfile_t *portfile);

#endif
