cwlVersion: v1.2
class: CommandLineTool
label: Index a genome for Bowtie 2
doc: Builds the six files of a small Bowtie 2 index. The first of them stands for all; the others go with it.

hints:
  DockerRequirement:
    dockerPull: quay.io/biocontainers/bowtie2:2.5.0--py310h8d7afc0_0
requirements:
  InlineJavascriptRequirement: {}
  ResourceRequirement:
    coresMin: 1
    ramMin: 512

baseCommand: [bowtie2-build, --quiet]
arguments:
  - prefix: --threads
    valueFrom: $(runtime.cores)

inputs:
  genome:
    type: File
    label: Genome in FASTA
    inputBinding:
      position: 1
  name:
    type: string
    label: Base name of the index files
    default: genome
    inputBinding:
      position: 2

outputs:
  index:
    type: File
    label: The index, with its other files beside it
    secondaryFiles:
      - ^^.2.bt2
      - ^^.3.bt2
      - ^^.4.bt2
      - ^^.rev.1.bt2
      - ^^.rev.2.bt2
    outputBinding:
      glob: $(inputs.name).1.bt2
