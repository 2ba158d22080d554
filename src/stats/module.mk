# Sources of src/stats, written out.
stats_SRCS := clients.c collect.c daily.c hist.c index.c names.c qlog.c read.c save.c series.c topk.c uniq.c worker.c
