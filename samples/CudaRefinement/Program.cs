// A refinement chain on a GPU of NVIDIA: an answer, and its rewrites, from any model folder of ONNX Runtime GenAI.
// dotnet run -c Release -p:WithNatives=true --project samples/CudaRefinement -- MODEL-FOLDER "Why is the sky blue?"
using Aries;
using Aries.OnnxRuntimeGenAI.Cuda;
using Microsoft.Extensions.DependencyInjection;

if (args.Length != 2)
{
    Console.Error.WriteLine("Usage: CudaRefinement MODEL-FOLDER QUESTION");
    return 1;
}

IReadOnlyList<string> missing = CudaRequirements.FindMissing();
if (missing.Count > 0)
{
    Console.Error.WriteLine("This machine cannot run the model on a GPU. What is missing:");
    foreach (string item in missing)
    {
        Console.Error.WriteLine($"- {item}");
    }

    return 2;
}

try
{
    ServiceCollection services = new();
    services.AddAries(options => options.Sampling = new SamplingOptions { Temperature = 0.7f, MaxTokens = 256 })
        .AddOnnxRuntimeGenAICuda(args[0])
        .UseStrategy(new AriesRefinement(turnCount: 3));
    await using ServiceProvider provider = services.BuildServiceProvider();
    RefinementResult result = await provider.GetRequiredService<SelfRefiner>().RefineAsync(args[1]);

    foreach ((TraceStep draft, int turn) in result.Trace.Drafts.Select((draft, turn) => (draft, turn)))
    {
        Console.WriteLine($"turn {turn}: {draft.Text}\n");
    }

    Console.WriteLine(result.Error is { } error ? $"It ended early: {error.Message}" : $"answer: {result.Answer}");
    return result.Error is null ? 0 : 1;
}
catch (Exception exception) when (exception is AriesException or ArgumentException)
{
    Console.Error.WriteLine(exception.Message);
    return 1;
}
