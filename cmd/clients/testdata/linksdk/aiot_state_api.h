#ifndef AIOT_STATE_API_H
#define AIOT_STATE_API_H

#define STATE_SUCCESS 0

#endif
