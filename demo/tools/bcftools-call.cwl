cwlVersion: v1.2
class: CommandLineTool
label: Call variants
doc: Piles up the reads at each position and calls the variants of a haploid genome.

hints:
  DockerRequirement:
    dockerPull: quay.io/biocontainers/bcftools:1.16--hfe4b78e_1
requirements:
  ShellCommandRequirement: {}
  ResourceRequirement:
    coresMin: 1
    ramMin: 512

arguments:
  - { position: 1, valueFrom: 'bcftools mpileup --output-type u', shellQuote: false }
  - { position: 4, valueFrom: '|', shellQuote: false }
  - { position: 5, valueFrom: 'bcftools call --multiallelic-caller --variants-only --ploidy 1', shellQuote: false }
  - { position: 6, prefix: --output, valueFrom: $(inputs.alignments.nameroot).vcf }

inputs:
  genome:
    type: File
    label: Genome in FASTA, with its index
    secondaryFiles:
      - .fai
    inputBinding:
      position: 2
      prefix: --fasta-ref
  alignments:
    type: File
    label: Sorted alignments in BAM, with their index
    secondaryFiles:
      - .bai
    inputBinding:
      position: 3

outputs:
  variants:
    type: File
    label: Variants in VCF
    format: edam:format_3016
    outputBinding:
      glob: $(inputs.alignments.nameroot).vcf

$namespaces:
  edam: http://edamontology.org/
