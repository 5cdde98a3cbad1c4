using Aries.Managed;

namespace Aries;

/// <summary>Adds the managed engine to Aries.</summary>
/// <threadsafety>Calls for one builder must follow each other.</threadsafety>
public static class ManagedAriesBuilderExtensions
{
    /// <summary>Makes a model that runs in managed code the policy, and its engine the loader of checkpoints and the trainer.</summary>
    /// <remarks>The model is loaded at its first use; a container that is disposed disposes it.</remarks>
    /// <param name="builder">The builder.</param>
    /// <param name="path">A Hugging Face folder or a llama2.c file.</param>
    /// <param name="configure">Changes the options of the model, or null for the defaults.</param>
    /// <param name="configureTrainer">Changes the options of the trainer, or null for the defaults. It renders prompts as the model does, unless told otherwise.</param>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentException">An argument is null or empty, or an option is outside its range.</exception>
    public static IAriesBuilder AddManaged(
        this IAriesBuilder builder, string path, Action<ManagedPolicyOptions>? configure = null, Action<ManagedTrainerOptions>? configureTrainer = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrWhiteSpace(path);
        ManagedPolicyOptions options = new();
        configure?.Invoke(options);
        options.Validate();
        ManagedTrainerOptions trainerOptions = new() { ChatTemplate = options.ChatTemplate };
        configureTrainer?.Invoke(trainerOptions);

        // The parts are made at their first use; what the callers do to the options until then must not reach them.
        ManagedPolicyOptions policy = options with { };
        ManagedTrainerOptions trainer = trainerOptions.Copy();
        return builder
            .UsePolicy(_ => ManagedPolicyModel.Load(path, policy))
            .UsePolicyLoader(_ => new ManagedPolicyModelLoader(policy with { AdapterPath = null, TokenizerPath = null }))
            .UseTrainer(_ => new ManagedPolicyTrainer(trainer));
    }
}
