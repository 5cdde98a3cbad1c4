// A program compiled ahead of time that uses all three packages: it refines an answer, takes a training step on a pair, and answers with the new adapter.
//   dotnet publish -c Release samples/NativeAot
//   NativeAot MODEL-FOLDER PROMPT
using System.Globalization;
using Aries;
using Aries.Managed;
using Aries.Preferences;

if (args.Length != 2)
{
    Console.Error.WriteLine("Usage: NativeAot MODEL-FOLDER PROMPT");
    return 2;
}

string adapter = Path.Combine(Path.GetTempPath(), $"aries-native-aot-{Environment.ProcessId}");
try
{
    SamplingOptions sampling = new() { Temperature = 0, MaxTokens = 24 };
    RefinementResult refined;
    using (ManagedPolicyModel policy = await ManagedPolicyModel.LoadAsync(args[0]))
    {
        SelfRefiner refiner = new(policy, new AriesRefinement(turnCount: 2, new RefinementTemplate("{question}{response}\n")), new SelfRefinerOptions { Sampling = sampling });
        refined = await refiner.RefineAsync(args[1]);
    }

    foreach (TraceStep draft in refined.Trace.Drafts)
    {
        Console.WriteLine($"draft: {draft.Text}");
    }

    ManagedPolicyTrainer trainer = new(new ManagedTrainerOptions { Loss = new DpoLoss(), Lora = new LoraOptions { Rank = 2 } });
    PolicyCheckpoint model = new(args[0]);
    TrainingResult trained = await trainer.TrainPreferencesAsync(new PreferenceTrainingRequest
    {
        Policy = model,
        Reference = model,
        Pairs = [new PreferencePair { Prompt = args[1], Chosen = " The end.", Rejected = " And so on." }],
        Template = RefinementTemplate.Default,
        OutputPath = adapter,
    });
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"loss: {trained.Metrics["loss"]:F6}"));

    using ManagedPolicyModel tuned = await ManagedPolicyModel.LoadAsync(args[0], new ManagedPolicyOptions { AdapterPath = trained.Checkpoint.AdapterPath });
    Response answer = await tuned.GenerateAsync(args[1], sampling);
    Console.WriteLine($"tuned: {answer.Text}");
    return 0;
}
catch (AriesException exception)
{
    Console.Error.WriteLine(exception.Message);
    return 1;
}
finally
{
    if (Directory.Exists(adapter))
    {
        Directory.Delete(adapter, recursive: true);
    }
}
