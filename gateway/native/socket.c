#include "addon.h"

bool register_sockets(napi_env env, napi_value exports) {
    return true;
}
