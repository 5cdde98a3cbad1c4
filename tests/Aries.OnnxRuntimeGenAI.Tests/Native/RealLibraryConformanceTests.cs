using Aries.Conformance;

namespace Aries.OnnxRuntimeGenAI.Tests;

[Collection(FakeLibraryTests.Name)]
public sealed class RealPolicyModelConformanceTests(GenAIFolders folders) : PolicyModelConformance<GenAIPolicyModel>
{
    protected override string TooLongPrompt => string.Concat(Enumerable.Repeat("Once upon a time ", 300));

    protected override GenAIPolicyModel CreateModel() =>
        GenAIPolicyModel.Load(folders.Stories, RealLibrary.Options with { ThreadCount = 1, MaxBatchSize = 3, PrefillLength = 4 });
}

[Collection(FakeLibraryTests.Name)]
public sealed class RealLogProbabilityModelConformanceTests(GenAIFolders folders) : LogProbabilityModelConformance<GenAIPolicyModel>
{
    // Float32 sums in other orders: what is taken over from a sequence before depends on the batch.
    protected override double Tolerance => 1e-4;

    protected override LogProbabilityRequest TooLong => new("Once", string.Concat(Enumerable.Repeat(" upon a time", 300)));

    protected override GenAIPolicyModel CreateModel() => GenAIPolicyModel.Load(folders.Stories, RealLibrary.Options with { ThreadCount = 1, PrefillLength = 8 });
}
