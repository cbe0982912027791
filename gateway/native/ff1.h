/* FF1 with AES-256 (NIST SP 800-38G) for segments of 1 to 15 bytes. ff1.c */
#ifndef GSCIP_FF1_H
#define GSCIP_FF1_H

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* `context` enciphers with AES-256 (aes_256 in hctr2.h). Source and destination are equal or apart.
 * False when OpenSSL fails. */
bool ff1_run(EVP_CIPHER_CTX *context, const uint8_t *tweak, size_t tweak_length,
             const uint8_t *source, uint8_t *destination, size_t length, bool deciphering);

#endif
