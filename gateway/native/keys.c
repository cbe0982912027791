#include "addon.h"

bool register_keys(napi_env env, napi_value exports) {
    return true;
}
