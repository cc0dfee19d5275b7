list(APPEND agent_sources
  upload/abandoned_recording.cc upload/auth_link.cc upload/pace.cc upload/recording_upload.cc upload/spool_folder.cc
  upload/spool_reader.cc upload/spool_watch.cc upload/uploader.cc)
list(APPEND agent_headers
  upload/abandoned_recording.h upload/auth_caller.h upload/auth_link.h upload/pace.h upload/proxy_choice.h upload/recording_upload.h
  upload/spool_folder.h upload/spool_reader.h upload/spool_watch.h upload/uploader.h)
