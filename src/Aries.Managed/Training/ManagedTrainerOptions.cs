using Aries.Preferences;

namespace Aries.Managed;

/// <summary>Options of <see cref="ManagedPolicyTrainer"/>.</summary>
/// <threadsafety>Not thread-safe while it is being changed; the trainer copies it.</threadsafety>
public sealed record ManagedTrainerOptions
{
    /// <summary>Gets or sets the loss of preference training.</summary>
    /// <value>Any loss; immutable. The default is <see cref="AriesLoss"/> with its default options.</value>
    public IPreferenceLoss Loss { get; set; } = new AriesLoss();

    /// <summary>Gets or sets how the negative log-likelihood of supervised training is scaled.</summary>
    /// <value>The default is <see cref="LossNormalization.TokenMean"/>, which keeps the learning rate independent of the responses' lengths; ARIES, Eq. 4, writes the sum.</value>
    public LossNormalization SupervisedNormalization { get; set; } = LossNormalization.TokenMean;

    /// <summary>Gets or sets the adapter that is trained.</summary>
    /// <value>Null, the default, trains all weights and writes a model folder; otherwise a LoRA adapter is trained and written, and the model stays as it is.</value>
    public LoraOptions? Lora { get; set; }

    /// <summary>Gets or sets the learning rate of each step.</summary>
    /// <value>Not null. The default warms up over 3 % of the steps to 5e-6, and falls along a cosine.</value>
    public LearningRateOptions LearningRate { get; set; } = new();

    /// <summary>Gets or sets the optimiser's settings.</summary>
    /// <value>Not null. The default is AdamW with β₁ 0.9, β₂ 0.999, no weight decay, and gradients clipped at the norm 1.</value>
    public AdamWOptions Optimizer { get; set; } = new();

    /// <summary>Gets or sets how often the training goes through the data.</summary>
    /// <value>1 or more. The default is 1.</value>
    public int EpochCount { get; set; } = 1;

    /// <summary>Gets or sets the number of pairs or examples of an optimiser step; the last step of an epoch takes what is left.</summary>
    /// <value>1 or more. The default is 32.</value>
    public int BatchSize { get; set; } = 32;

    /// <summary>Gets or sets the number of tokens that are computed at once, those that sequences share counted once. A batch is cut into micro-batches of whole pairs, whose gradients add up; a pair that is longer is computed alone.</summary>
    /// <value>1 or more; null, the default, takes 896, or fewer where their activations would take more than 1 GiB, but 256 at least.</value>
    public int? MicroBatchTokens { get; set; }

    /// <summary>Gets or sets the longest sequence, prompt and response together, in tokens.</summary>
    /// <value>2 or more; null, the default, is the model's context length, which a larger value is an error against.</value>
    public int? MaxLength { get; set; }

    /// <summary>Gets or sets what happens to longer sequences.</summary>
    /// <value>The default is <see cref="TruncationRule.KeepStart"/>.</value>
    public TruncationRule Truncation { get; set; }

    /// <summary>Gets or sets the chat template that prompts are written in; the one that generation uses.</summary>
    /// <value>Null, the default, is the template that the policy's folder names.</value>
    public ChatTemplate? ChatTemplate { get; set; }

    /// <summary>Gets or sets whether the backward pass computes each layer's activations again instead of keeping them: the same numbers, from less memory and a third more time.</summary>
    /// <value>The default is false.</value>
    public bool RecomputeActivations { get; set; }

    /// <summary>Gets or sets after how many steps the state is saved, where the request names a folder for it. It is saved on cancellation as well.</summary>
    /// <value>1 or more. The default is 50.</value>
    public int StateInterval { get; set; } = 50;

    /// <summary>Checks every value.</summary>
    /// <exception cref="ArgumentNullException">A part is missing.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A value is outside its range; the message names it.</exception>
    public void Validate()
    {
        ArgumentNullException.ThrowIfNull(Loss, nameof(Loss));
        ArgumentNullException.ThrowIfNull(LearningRate, nameof(LearningRate));
        ArgumentNullException.ThrowIfNull(Optimizer, nameof(Optimizer));
        if (!Enum.IsDefined(SupervisedNormalization))
        {
            throw new ArgumentOutOfRangeException(nameof(SupervisedNormalization), SupervisedNormalization, "SupervisedNormalization must be a value of the enum.");
        }

        if (!Enum.IsDefined(Truncation))
        {
            throw new ArgumentOutOfRangeException(nameof(Truncation), Truncation, "Truncation must be a value of the enum.");
        }

        Lora?.Validate();
        LearningRate.Validate();
        Optimizer.Validate();
        CheckAtLeast(EpochCount, 1, nameof(EpochCount));
        CheckAtLeast(BatchSize, 1, nameof(BatchSize));
        CheckAtLeast(MicroBatchTokens ?? 1, 1, nameof(MicroBatchTokens));
        CheckAtLeast(MaxLength ?? 2, 2, nameof(MaxLength));
        CheckAtLeast(StateInterval, 1, nameof(StateInterval));
    }

    internal ManagedTrainerOptions Copy()
    {
        Validate();
        return this with { Lora = Lora is null ? null : Lora with { }, LearningRate = LearningRate with { }, Optimizer = Optimizer with { } };
    }

    private static void CheckAtLeast(int value, int least, string name)
    {
        if (value < least)
        {
            throw new ArgumentOutOfRangeException(name, value, $"{name} must be {least} or more.");
        }
    }
}
