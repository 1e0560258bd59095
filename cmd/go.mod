module sampan/cmd

go 1.26.0

require sampan v0.0.0

replace sampan => ../
