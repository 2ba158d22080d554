/*
 * Documents made from options.def, to standard output; each returns the exit status.
 */
#ifndef SINKHOLE_CLI_DOCUMENT_H
#define SINKHOLE_CLI_DOCUMENT_H

int document_markdown(void); /* docs/config.md */
int document_manual(void);   /* the options' part of sinkhole.conf(5), in mdoc */
int document_example(void);  /* the options' part of conf/sinkhole.conf */

#endif
