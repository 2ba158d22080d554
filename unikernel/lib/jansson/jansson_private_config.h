/* jansson's private settings on bare metal: the seed of its hashes is set by us (json_object_seed).
 */
#define HAVE_STDINT_H           1
#define INITIAL_HASHTABLE_ORDER 3
